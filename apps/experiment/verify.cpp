#include "hanok/apps/experiment/verify.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <utility>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/machine.h"
#include "hanok/apps/experiment/scratch_run.h"
#include "hanok/apps/experiment/traced_training.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/preflight/autotune.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/environment.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "hanok/data/csv.h"
#include "hanok/engine/precision.h"

namespace hanok::training {
namespace {

std::vector<EpochMetrics> epochs_of(const RunFolder& folder, std::int64_t fold) {
  const MetricsLog log(folder);
  std::vector<EpochMetrics> epochs;
  for (const EpochMetrics& line : log.lines()) {
    if (line.fold == fold) epochs.push_back(line);
  }
  return epochs;
}

/// The fold to repeat: the one that was named, or the first that has recorded an epoch.
int choose_fold(const RunFolder& folder, const std::optional<std::int64_t>& named) {
  const MetricsLog log(folder);
  for (const EpochMetrics& line : log.lines()) {
    if (!named || *named == line.fold) return line.fold;
  }
  throw UsageError(
      named ? fmt::format("--fold: {} has recorded no epoch of fold {}", folder.path(), *named)
            : fmt::format("{}: has recorded no epoch yet", folder.path()));
}

/// Where a repetition starts.
struct Start {
  std::string state{};      // a checkpoint's file; empty: the start weights
  std::int64_t epochs = 0;  // that are done there
  std::int64_t steps = 0;   // of the epoch after those
};

/// The newest whole checkpoint in whose future epoch `epoch` lies.
Start newest_start_before(const RunFolder& folder, int fold, std::int64_t epoch) {
  Start newest;
  for (const std::string& file : {folder.previous(fold), folder.last(fold)}) {
    if (!exists(file)) continue;
    try {
      const nn::State state = load_state(file);
      const Start start{
          .state = file, .epochs = state.integer("epoch"), .steps = state.integer("step_in_epoch")};
      const bool trained = state.integer("epoch_trained") != 0;  // nothing of it is left to repeat
      if (trained || start.epochs >= epoch) continue;
      if (std::pair(start.epochs, start.steps) >= std::pair(newest.epochs, newest.steps)) {
        newest = start;
      }
    } catch (const Error&) {
      continue;  // a damaged file: the other one, or the start weights
    }
  }
  return newest;
}

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// What differs, "loss 0.5 here, 0.25 recorded" each. A NaN was recorded as null.
std::vector<std::string> differences(const EpochMetrics& here, const EpochMetrics& recorded) {
  std::vector<std::string> found;
  const auto compare = [&found](const char* name, double a, double b) {
    if (same(a, b) || (std::isnan(a) && std::isnan(b))) return;
    found.push_back(fmt::format("{} {} here, {} recorded", name, a, b));
  };
  compare("loss", here.loss, recorded.loss);
  compare("accuracy", here.accuracy, recorded.accuracy);
  compare("val_loss", here.val_loss, recorded.val_loss);
  compare("val_accuracy", here.val_accuracy, recorded.val_accuracy);
  compare("val_macro_f1", here.val_macro_f1, recorded.val_macro_f1);
  compare("learning_rate", here.learning_rate, recorded.learning_rate);
  if (here.step != recorded.step) {
    found.push_back(fmt::format("{} steps here, {} recorded", here.step, recorded.step));
  }
  if (!recorded.hash_chain.empty() && here.hash_chain != recorded.hash_chain) {
    found.push_back(
        fmt::format("hash chain {} here, {} recorded", here.hash_chain, recorded.hash_chain));
  }
  return found;
}

/// The rows of a fold's steps.csv by step; none where no steps were logged.
std::map<std::int64_t, std::string> logged_steps(const std::string& path) {
  std::map<std::int64_t, std::string> steps;
  if (!exists(path)) return steps;
  const data::Csv csv = data::read_csv(path);
  const std::size_t step = csv.column("step");
  for (const std::vector<std::string>& row : csv.rows) {
    steps[std::atoll(row[step].c_str())] = fmt::format("{}", fmt::join(row, ","));
  }
  return steps;
}

/// A line about the first logged step that differs; empty if none does.
std::string first_other_step(const std::string& here, const std::string& recorded) {
  const std::map<std::int64_t, std::string> before = logged_steps(recorded);
  for (const auto& [step, row] : logged_steps(here)) {
    const auto found = before.find(step);
    if (found == before.end() || found->second == row) continue;
    return fmt::format(
        "step {} is the first logged one that differs (epoch,step,loss,lr,norm): {} "
        "here, {} recorded\n",
        step, row, found->second);
  }
  return "";
}

/// The run as it is repeated.
struct Repeated {
  const RunFolder& folder;
  const Options& options;
  const ExperimentData& data;
  int fold;
  Start start;
  std::vector<EpochMetrics> recorded;  // all epochs of the fold
  Reporter& reporter;

  ScratchRun scratch() const {
    std::vector<EpochMetrics> before;
    for (const EpochMetrics& line : recorded) {
      if (line.epoch <= start.epochs) before.push_back(line);
    }
    return ScratchRun({.run = folder, .fold = fold, .state = start.state, .epochs = before});
  }
};

/// Why the epochs up to `epoch` are not the recorded ones.
void explain(const Repeated& run, std::int64_t epoch) {
  const std::vector<Environment> environments = read_environments(run.folder);
  const Device device = choose_device(run.options.device);
  const std::vector<std::string> changed =
      environments.empty() ? std::vector<std::string>()
                           : changes(environments.back(), environment_of(device));
  for (const std::string& change : changed) run.reporter.print(fmt::format("  {}\n", change));
  if (!device.is_cpu()) return;
  run.reporter.print("repeating it twice more, op by op ...\n");
  const auto traced = [&] {
    ScratchRun scratch = run.scratch();
    return train_traced(scratch.job(run.options, run.data, run.reporter, epoch));
  };
  const std::vector<NamedOp> first = traced();
  if (interrupted()) return;
  const std::vector<NamedOp> second = traced();
  if (interrupted()) return;
  if (const std::string found = first_difference(first, second); !found.empty()) {
    run.reporter.print(fmt::format("this machine does not repeat itself: {}\n", found));
    return;
  }
  run.reporter.print(fmt::format(
      "this machine repeats itself: {} ops gave the same bits twice. {}\n", first.size(),
      changed.empty() ? "The record was made on another kind of machine, or the images' files or "
                        "the record have changed"
                      : "So the cause is what has changed since the record"));
}

/// Compares what was repeated with the record; true if it is the same.
bool compare(const Repeated& run, const ScratchRun& scratch) {
  for (const EpochMetrics& here : epochs_of(scratch.folder(), run.fold)) {
    if (here.epoch <= run.start.epochs) continue;
    const auto recorded =
        std::find_if(run.recorded.begin(), run.recorded.end(),
                     [&](const EpochMetrics& line) { return line.epoch == here.epoch; });
    if (recorded == run.recorded.end()) continue;
    const std::vector<std::string> other = differences(here, *recorded);
    if (other.empty()) {
      run.reporter.print(fmt::format("fold {}, epoch {}: the same bits{}\n", run.fold, here.epoch,
                                     recorded->hash_chain.empty()
                                         ? " of losses and scores (no hash chain was recorded)"
                                         : ", hash chain " + here.hash_chain));
      continue;
    }
    run.reporter.print(fmt::format("fold {}, epoch {}: differs: {}\n", run.fold, here.epoch,
                                   fmt::join(other, "; ")));
    run.reporter.print(
        first_other_step(scratch.folder().steps(run.fold), run.folder.steps(run.fold)));
    explain(run, here.epoch);
    return false;
  }
  return true;
}

/// The recorded epoch to repeat up to.
std::int64_t choose_epoch(const RunFolder& folder, int fold,
                          const std::vector<EpochMetrics>& recorded,
                          const std::optional<std::int64_t>& named) {
  const std::int64_t last = recorded.back().epoch;
  if (!named) return newest_start_before(folder, fold, last).state.empty() ? 1 : last;
  const bool found = std::any_of(recorded.begin(), recorded.end(),
                                 [&](const EpochMetrics& line) { return line.epoch == *named; });
  if (found) return *named;
  throw UsageError(
      fmt::format("--epoch: fold {} has recorded epochs 1 to {}, got {}", fold, last, *named));
}

/// The run's options, without what only writes or reports.
Options options_of(const RunFolder& folder, const VerifyOptions& request) {
  Options options;
  apply_toml_file(options, folder.config());
  options.data = absolute_path(options.data);
  options.threads = request.threads;
  options.profile = options.detect_anomaly = options.tensorboard = false;
  options.baselines = options.find_labels = false;
  check_options(options);
  return options;
}

}  // namespace

bool verify_run(const VerifyOptions& request, Reporter& reporter) {
  const RunFolder folder = RunFolder::open(request.run);
  const int fold = choose_fold(folder, request.fold);
  const std::vector<EpochMetrics> recorded = epochs_of(folder, fold);
  const std::int64_t epoch = choose_epoch(folder, fold, recorded, request.epoch);
  Options options = options_of(folder, request);
  const PrecisionScope precision(use_machine(options));
  const std::optional<RecordedData> record = recorded_in_toml(folder.config());
  if (record) use_tensor_budget(options, *record);
  locate_data(options, folder, record);
  ExperimentData data = data_of_run(options, folder, record);
  compare_with_files(data, options, folder, reporter);
  const Device device = choose_device(options.device);
  use_cudnn_plans(device, {.run_plans = folder.cudnn_plans(), .autotune = options.autotune});
  Conv2dChoices choices;
  if (options.autotune && device.is_cpu()) choices = read_conv2d_choices(folder.conv2d_choices());
  const UseConv2dChoices use(choices);

  const Repeated run{.folder = folder,
                     .options = options,
                     .data = data,
                     .fold = fold,
                     .start = newest_start_before(folder, fold, epoch),
                     .recorded = recorded,
                     .reporter = reporter};
  reporter.print(fmt::format("fold {}: repeating up to epoch {} from {}\n", fold, epoch,
                             run.start.state.empty() ? "the start weights" : run.start.state));
  const ScratchRun scratch = run.scratch();
  const bool whole = train_again(scratch.job(options, data, reporter, epoch));
  if (!whole) throw Error("interrupted; nothing was compared");
  return compare(run, scratch);
}

}  // namespace hanok::training
