// What predict and evaluate can be told about reading images and computing.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace hanok::training {

struct ReadingOptions {
  bool allow_bad = false;  // leave out unreadable images instead of failing
  std::int64_t batch_size = 32, threads = 0, workers = 2;
  std::string device = "auto", precision = "f32";
};

void add_reading_options(CLI::App& app, ReadingOptions& options);
/// Throws UsageError.
void check_reading_options(const ReadingOptions& options);

}  // namespace hanok::training
