#include "tests/cuda/training/training_run.h"

#include "hanok/apps/experiment/experiment.h"
#include "hanok/apps/options/options.h"
#include "hanok/engine/allocator.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {

std::vector<double> TrainingRun::losses() const {
  std::vector<double> result;
  const auto rows = read_plain_csv(folder + "/fold_0/steps.csv");
  for (std::size_t i = 1; i < rows.size(); ++i) result.push_back(std::stod(rows[i].at(2)));
  return result;
}

TrainingRun TrainingOnStandin::train(const std::vector<std::string>& arguments) {
  const std::vector<std::string> all = std::vector<std::string>{"data",         folder_ / "photos",
                                                                "layout",       "folder",
                                                                "weights",      "none",
                                                                "model",        "lenet",
                                                                "image-size",   "32",
                                                                "epochs",       "2",
                                                                "batch-size",   "6",
                                                                "val-fraction", "0.25",
                                                                "augment",      "none",
                                                                "patience",     "0",
                                                                "log-steps",    "1",
                                                                "device",       "cuda",
                                                                "threads",      "1",
                                                                "lr",           "0.001"} +
                                       arguments;
  training::Options options;
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
    training::find_option(all[i]).set(options, {all[i + 1]});
  }
  TrainingRun run;
  run.folder = folder_ / ("run_" + std::to_string(++runs_));
  RecordingReporter reporter;
  allocator_of(Device::cuda(0)).release_cached();  // independent of earlier runs
  standin::reset_counters();
  const int exit_code = training::start_run(options, run.folder, reporter);
  run.counters = standin::counters();
  run.output = reporter.text;
  EXPECT_EQ(exit_code, 0) << run.output;
  if (exit_code == 0) run.summary = read_json(run.folder + "/summary.json");
  return run;
}

}  // namespace hanok::test
