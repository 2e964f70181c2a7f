// What people write in TOML: all options (--config, a run's config.toml) and lists of transforms.
#include "hanok/apps/options/options.h"

#include "hanok/apps/options/augmentation_toml.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"

namespace hanok::fuzz {

void run_config(Bytes bytes) {
  const std::string path = scratch_file("config.toml", bytes);
  expect_refusal_or_result(path, [&] {
    training::Options options;
    training::apply_toml_file(options, path);
    training::to_toml(options);
  });
  expect_refusal_or_result(path, [&] { training::recorded_in_toml(path); });
}

void run_augmentation(Bytes bytes) {
  const std::string path = scratch_file("augmentation.toml", bytes);
  expect_refusal_or_result(
      path, [&] { training::transforms_to_toml(training::read_augmentation(path)); });
}

}  // namespace hanok::fuzz
