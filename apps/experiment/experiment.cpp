#include "hanok/apps/experiment/experiment.h"

#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <system_error>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/folds.h"
#include "hanok/apps/experiment/machine.h"
#include "hanok/apps/experiment/start_checks.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/batch_size.h"
#include "hanok/apps/preflight/plan.h"
#include "hanok/apps/run/environment.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/fnv_hash.h"
#include "hanok/apps/run/memory_limit.h"
#include "hanok/apps/run/new_run.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/training/samples/cropped_data.h"
#include "hanok/apps/training/samples/experiment_split.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/engine/packed_weights.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

Options with_absolute_paths(Options options) {
  options.data = absolute_path(options.data);
  if (options.weights.source == StartWeights::Source::File) {
    options.weights.file = absolute_path(options.weights.file);
  }
  if (options.group.kind == Grouping::Kind::File) {
    options.group.file = absolute_path(options.group.file);
  }
  if (!options.folds_file.empty()) options.folds_file = absolute_path(options.folds_file);
  if (!options.corrections.empty()) options.corrections = absolute_path(options.corrections);
  if (options.augment.from_file) options.augment.name = absolute_path(options.augment.name);
  return options;
}

/// What needs the list of classes and images, and none of their pixels.
void check_before_decoding(const Options& options, const data::Dataset& dataset) {
  const auto classes = static_cast<std::int64_t>(dataset.class_names.size());
  if (options.find_labels && resolved_folds(options, dataset).kind == FoldCount::Kind::Given) {
    throw UsageError(fmt::format(
        "--find-labels: needs for every photograph a fold that was not trained on it, and {} has "
        "one split, its folders train and val; add --folds N",
        dataset.root));
  }
  check_network(options, classes);
  if (options.baselines) check_temporary_files(options, classes);
}

/// Of jobs that write nothing: all checks that need no data. Returns the precision to compute in.
Precision ready_to_read(const Options& options) {
  check_options(options);
  check_texts(options);
  const Precision precision = use_machine(options);
  check_named_files(options);
  return precision;
}

void choose_batch_size_if_auto(Options& options, const ExperimentData& data, Reporter& reporter) {
  if (options.batch_size > 0) return;
  options.batch_size = choose_batch_size(options, data, start_weights(options), reporter);
  keep_packed_weights(true);  // a size that did not fit may have given them up
  check_options(options);
}

/// Of jobs that write nothing.
ExperimentData data_without_run(Options& options, Reporter& reporter,
                                const faces::MakeFaceFinder& make_finder) {
  const auto check = [&options](const data::Dataset& dataset) {
    check_before_decoding(options, dataset);
    check_temporary_files(options, static_cast<std::int64_t>(dataset.class_names.size()));
  };
  const PeakMeter meter;
  std::optional<ExperimentData> data = prepare_cropped_data(options, reporter, make_finder, check);
  keep_to_memory(options, meter.given_back());
  if (!data) throw Error("interrupted; nothing was trained, nothing written");
  choose_batch_size_if_auto(options, *data, reporter);
  return *std::move(data);
}

/// Of a run that is resumed: its next fold needs them.
void check_start_weights(const Options& options) {
  try {
    start_weights(options);
  } catch (const IoError& error) {
    throw IoError(fmt::format("{}\nthe run was started from this file: put it back to resume it",
                              error.what()));
  }
}

/// True if every fold of the run has its result.
bool is_finished(const Options& options, const RunFolder& folder,
                 const std::optional<RecordedData>& record) {
  if (!record) return false;
  const int count = record->folds * static_cast<int>(options.repeats);
  for (const int fold : selected_folds(options, count)) {
    if (!exists(folder.fold_result(fold))) return false;
  }
  return true;
}

/// Every rank must have started with the same.
void check_same_start(const Options& options, const ExperimentData& data) {
  if (!has_other_ranks()) return;
  const Environment environment = environment_of(choose_device(options.device));
  FnvHash program;
  program.add(read_file("/proc/self/exe"));
  FnvHash files;
  for (std::size_t i = 0; i < data.dataset.samples.size(); ++i) {
    const data::Sample& sample = data.dataset.samples[i];
    std::error_code error;
    files.add(fmt::format("{} {} {}\n", sample.path, sample.label,
                          std::filesystem::file_size(data.dataset.full_path(i), error)));
  }
  Options comparable = options;
  comparable.data.clear();  // each machine may have its own copy, which is compared below
  check_same_on_ranks(
      {{"version", environment.hanok},
       {"program", program.hex()},
       {"path of kernels, which HANOK_ISA=portable makes the same,", environment.kernels},
       {"option", to_toml(comparable)},
       {"data set", files.hex()}});
}

/// What the ranks but the first report goes to the run's folder.
void open_log(const RunFolder& folder, Reporter& reporter) {
  if (auto* log = dynamic_cast<RankLog*>(&reporter)) log->open(folder);
}

/// The run's folder, which the first rank makes.
RunFolder wait_for_run(const std::string& out) {
  ranks().barrier();
  try {
    return RunFolder::open(out);
  } catch (const Error& error) {
    throw IoError(fmt::format(
        "{}\nrank {} cannot see the run's folder that rank 0 has made: --out must lie where all "
        "machines see it",
        error.what(), ranks().rank()));
  }
}

int train_in(const RunFolder& folder, const Options& options, const ExperimentData& data,
             Reporter& reporter) {
  open_log(folder, reporter);
  return train_folds({.options = options, .data = data, .folder = folder, .reporter = reporter});
}

/// Where a resumed run goes on with other kernels or libraries.
void warn_of_changes(const RunFolder& folder, Device device, Reporter& reporter) {
  const std::vector<std::string> found = record_environment(folder, environment_of(device));
  if (found.empty()) return;
  reporter.warn(fmt::format(
      "{}: the result may differ in its last bits from that of the run without an interruption",
      fmt::join(found, "; ")));
}

}  // namespace

int start_run(Options options, const std::string& out, Reporter& reporter,
              const DrawData& draw_data, const faces::MakeFaceFinder& make_finder) {
  if (draw_data) options.data = out + "/data";
  check_options(options);
  check_apart(options.data, out);
  std::optional<NewRun> run;  // of the first rank
  if (is_first_rank()) run.emplace(out);
  options = with_absolute_paths(options);
  check_texts(options);
  const PrecisionScope precision(use_machine(options));
  if (draw_data) {
    start_weights(options);  // throws before any face is drawn
    if (run) draw_data(run->make("data"));
    ranks().barrier();
  }
  check_named_files(options);
  const auto check = [&](const data::Dataset& dataset) {
    check_before_decoding(options, dataset);
    if (run) reporter.print(check_room(out, disk_need(options, dataset)));
  };
  const PeakMeter meter;
  const std::optional<ExperimentData> prepared =
      prepare_cropped_data(options, reporter, make_finder, check);
  keep_to_memory(options, meter.given_back());
  if (prepared) reporter.print(describe(*prepared));
  if (any_rank(!prepared || interrupted())) {
    reporter.print("interrupted; nothing was trained yet\n");
    return kInterrupted;
  }
  const ExperimentData& data = *prepared;
  check_same_start(options, data);
  choose_batch_size_if_auto(options, data, reporter);
  options.folds = resolved_folds(options, data.dataset);  // --resume goes by them
  if (!run) return train_in(wait_for_run(out), options, data, reporter);
  write_file(run->make("folds.csv"), folds_to_csv(data));
  if (!data.bad.empty()) write_file(run->make("unreadable.csv"), unreadable_to_csv(data.bad));
  if (!options.corrections.empty()) {
    write_file(run->make("corrections.csv"), read_file(options.corrections));
  }
  if (data.faces) write_file(run->make("faces.csv"), faces::to_csv(*data.faces, data.dataset));
  RecordedData record = recorded(data);
  if (draw_data) record.data_in_run = "data";
  record.tensor_budget = tensor_budget(options);
  write_file(run->make("config.toml"), to_toml(options, to_toml(record)));
  run->make("environment.json");
  record_environment(run->folder(), environment_of(choose_device(options.device)));
  run->keep();
  ranks().barrier();
  try {
    return train_folds(
        {.options = options, .data = data, .folder = run->folder(), .reporter = reporter});
  } catch (const IoError&) {
    throw;  // says how the run can continue
  } catch (...) {
    // Steps that were logged may show what went wrong.
    if (options.log_steps == 0) run->discard_unless_saved();
    throw;
  }
}

int resume_run(const std::string& path, Reporter& reporter,
               const std::function<void(Options&)>& adjust) {
  const RunFolder folder = RunFolder::open(path);
  open_log(folder, reporter);
  std::optional<RunLock> lock;
  if (is_first_rank()) {
    lock.emplace(path);
    folder.remove_leftovers();
  }
  ranks().barrier();
  Options saved;
  apply_toml_file(saved, folder.config());
  Options options = saved;
  if (adjust) adjust(options);
  options.data = absolute_path(options.data);
  check_options(options);
  check_texts(options);
  const PrecisionScope precision(use_machine(options));
  const std::optional<RecordedData> record = recorded_in_toml(folder.config());
  if (record && options.memory.bytes == saved.memory.bytes) use_tensor_budget(options, *record);
  const bool finished = is_finished(options, folder, record);  // then nothing is read but results
  if (!finished) {
    locate_data(options, folder, record);
    check_start_weights(options);
  }
  ExperimentData data = data_of_run(options, folder, record);
  if (!finished) compare_with_files(data, options, folder, reporter);
  check_same_start(options, data);
  if (!finished && options.data != saved.data && is_first_rank()) {
    reporter.print(fmt::format("data: {} (before: {})\n", options.data, saved.data));
    saved.data = options.data;
    write_file(folder.config(), to_toml(saved, record ? to_toml(*record) : ""));
  }
  if (!finished && is_first_rank()) {
    warn_of_changes(folder, choose_device(options.device), reporter);
  }
  reporter.print(describe(data));
  return train_folds({.options = options, .data = data, .folder = folder, .reporter = reporter});
}

void dry_run(Options options, Reporter& reporter, const faces::MakeFaceFinder& make_finder) {
  const PrecisionScope precision(ready_to_read(options));
  const ExperimentData data = data_without_run(options, reporter, make_finder);
  reporter.print(describe(data));
  bool first = true;
  for (const int fold : selected_folds(options, data.fold_count)) {
    reporter.print(fold_classes(options, data, fold));
    if (!first) continue;
    Trainer trainer(FoldJob{.options = options,
                            .data = data,
                            .reporter = reporter,
                            .fold = fold,
                            .start_weights = start_weights(options)});
    report_network(options, trainer, reporter);
    first = false;
  }
  reporter.print("\ndry run: nothing was trained, nothing written\n");
}

void plan_run(Options options, Reporter& reporter, const faces::MakeFaceFinder& make_finder) {
  const PrecisionScope precision(ready_to_read(options));
  const ExperimentData data = data_without_run(options, reporter, make_finder);
  reporter.print(fmt::format("{}\n{}, batch {}, {} px, {} threads\n", describe(data), options.model,
                             options.batch_size, options.image_size, num_threads()));
  reporter.print(fmt::format("{}\nplan: nothing was trained, nothing written\n",
                             plan_text(options, data, start_weights(options), reporter)));
}

}  // namespace hanok::training
