#include "hanok/apps/options/reading_options.h"

#include <CLI/CLI.hpp>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/options/options.h"

namespace hanok::training {

void add_layout_options(CLI::App& app, data::DatasetOptions& options) {
  app.add_option("--layout", options.layout,
                 "auto, folder (one per class), competition (train.csv), csv (labels.csv) or "
                 "shards (tar archives)");
  app.add_option("--path-column", options.path_column, "a table's column with image files")
      ->type_name("NAME");
  app.add_option("--label-column", options.label_column, "a table's column with classes")
      ->type_name("NAME");
}

void add_reading_options(CLI::App& app, ReadingOptions& options) {
  app.add_flag("--allow-bad", options.allow_bad, "go on without images that cannot be read");
  app.add_option("--batch-size", options.batch_size, "images per batch");
  app.add_option("--threads", options.threads, "compute threads; 0: one per CPU");
  app.add_option_function<std::string>(
      "--device", [&options](const std::string& text) { options.device = parse_device(text); },
      "where to compute: cpu, cuda (the first GPU) or cuda:N; auto: the best available");
  app.add_option_function<std::string>(
      "--precision",
      [&options](const std::string& text) { options.precision = parse_precision(text); },
      "in what convolutions and products compute: f32; on the CPU also int16; on a GPU also tf32, "
      "bf16 and f16");
  app.add_option_function<std::string>(
         "--memory", [&options](const std::string& text) { options.memory = parse_memory(text); },
         "what the whole process may hold in main memory, e.g. 700M; auto: what the system leaves")
      ->type_name("SIZE");
  app.add_option("--workers", options.workers, "threads that read images ahead");
}

void check_reading_options(const ReadingOptions& options) {
  require_between("--batch-size", options.batch_size, 1, kMostImages);
  require_between("--threads", options.threads, 0, kMostThreads);
  require_between("--workers", options.workers, 1, kMostWorkers);
}

}  // namespace hanok::training
