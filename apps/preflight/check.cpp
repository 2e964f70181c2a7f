#include "hanok/apps/preflight/check.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <set>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/predictor.h"
#include "hanok/apps/preflight/overfit_trial.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/memory_limit.h"
#include "hanok/apps/run/scratch_folder.h"
#include "hanok/apps/training/samples/cropped_data.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/apps/training/samples/recorded_data.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

constexpr double kOverfit = 0.1;  // the share of its first value that the loss must fall to

/// Prints the result of each check.
class Lines {
 public:
  explicit Lines(Reporter& reporter) : reporter_(reporter) {}
  void add(bool holds, const char* what, const std::string& finding,
           const std::string& advice = "") {
    reporter_.print(fmt::format("{:<7}{:<12}{}{}\n", holds ? "ok" : "FAILED", what, finding,
                                holds || advice.empty() ? "" : "; " + advice));
    all_hold_ = all_hold_ && holds;
  }
  void skip(const char* what, const std::string& why) {
    reporter_.print(fmt::format("{:<7}{:<12}{}\n", "skipped", what, " " + why));
  }
  bool all_hold() const { return all_hold_; }
  Reporter& reporter() const { return reporter_; }

 private:
  Reporter& reporter_;
  bool all_hold_ = true;
};

const data::Sample& sample_at(const data::Dataset& dataset, std::int64_t i) {
  return dataset.samples[static_cast<std::size_t>(i)];
}

void check_split(Lines& lines, const ExperimentData& data, int fold) {
  std::set<std::string> paths;
  std::set<std::string> groups;
  for (const std::int64_t i : data.training(fold)) {
    paths.insert(sample_at(data.dataset, i).path);
    groups.insert(sample_at(data.dataset, i).group);
  }
  std::int64_t shared_paths = 0;
  std::int64_t shared_groups = 0;
  for (const std::int64_t i : data.validation(fold)) {
    shared_paths += static_cast<std::int64_t>(paths.count(sample_at(data.dataset, i).path));
    shared_groups += static_cast<std::int64_t>(groups.count(sample_at(data.dataset, i).group));
  }
  lines.add(shared_paths == 0 && (!data.grouped || shared_groups == 0), "split",
            fmt::format("fold {}: {} training and {} validation images, {} files in both{}", fold,
                        data.training(fold).size(), data.validation(fold).size(), shared_paths,
                        data.grouped ? fmt::format(", {} of a group in both", shared_groups) : ""),
            "scores would be too good: look at --group and --folds-file");
}

void check_labels(Lines& lines, const Options& options, const ExperimentData& data,
                  const ScratchFolder& scratch) {
  const std::string table = scratch / "folds.csv";
  write_file(table, folds_to_csv(data));
  const ExperimentData again = data_from_folds_csv(options, table);
  std::string first;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < data.dataset.samples.size(); ++i) {
    const data::Sample& sample = data.dataset.samples[i];
    if (i < again.dataset.samples.size() && again.dataset.samples[i].path == sample.path &&
        again.dataset.samples[i].label == sample.label) {
      continue;
    }
    if (wrong++ == 0) first = sample.path;
  }
  lines.add(wrong == 0, "labels",
            fmt::format("{} of {} are unchanged after a round trip through folds.csv",
                        data.dataset.samples.size() - wrong, data.dataset.samples.size()),
            fmt::format("\"{}\" is the first that changed", first));
}

void check_gradients(Lines& lines, nn::Module& model) {
  std::vector<std::string> silent;
  std::size_t learning = 0;
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    if (!parameter.tensor.requires_grad()) continue;
    ++learning;
    const Tensor gradient = parameter.tensor.grad();
    bool any = false;
    bool finite = true;
    if (gradient.defined()) {
      for (const float value : gradient.to_vector()) {
        any = any || value != 0;
        finite = finite && std::isfinite(value);
      }
    }
    if (!any || !finite) silent.push_back(parameter.name);
  }
  lines.add(
      silent.empty(), "gradients",
      fmt::format("{} of {} parameters that learn have one", learning - silent.size(), learning),
      fmt::format("none, zero or not finite: {}", fmt::join(silent, ", ")));
}

/// The first loss and gradients, before any update.
double check_first_step(Lines& lines, OverfitTrial& trial, std::size_t classes) {
  const double first = trial.step().loss;
  check_gradients(lines, trial.model());
  const double expected = std::log(static_cast<double>(classes));
  if (trial.head_is_new()) {
    lines.add(std::abs(first - expected) <= 0.5 + 0.25 * expected, "first loss",
              fmt::format("{:.3f}; ln({}) is {:.3f}", first, classes, expected),
              "an untrained head should be near: wrong number of classes, softmax "
              "before the loss, or inputs that are not normalised?");
  } else {
    lines.skip("first loss", fmt::format("{:.3f}: the head is not new", first));
  }
  return first;
}

void check_predict(Lines& lines, const OverfitTrial& trial, const ExperimentData& data,
                   const ScratchFolder& scratch, const faces::MakeFaceFinder& make_finder) {
  const Options& options = trial.options();
  save_model(scratch / "network.safetensors", trial.model(),
             {.model = options.model,
              .class_names = data.dataset.class_names,
              .preprocessing = preprocessing(options),
              .hidden = options.hidden,
              .face_crop = face_crop(options, data)});
  PredictOptions request;
  request.make_finder = make_finder;
  request.checkpoint = scratch / "network.safetensors";
  request.out = scratch / "answers.csv";
  request.workers = options.workers;
  request.device = options.device;
  for (const std::int64_t i : trial.images()) {
    request.images.push_back(data.dataset.full_path(static_cast<std::size_t>(i)));
  }
  predict(request, lines.reporter());
  const data::Csv answers = data::read_csv(request.out);
  const std::size_t column = answers.column("label");
  std::size_t right = 0;
  std::string wrong;
  for (std::size_t i = 0; i < trial.images().size(); ++i) {
    const data::Sample& sample = sample_at(data.dataset, trial.images()[i]);
    const std::string& truth = data.dataset.class_names[static_cast<std::size_t>(sample.label)];
    const std::string answer = i < answers.rows.size() ? answers.rows[i][column] : "nothing";
    right += answer == truth ? 1 : 0;
    if (answer != truth && wrong.empty()) {
      wrong = fmt::format("{} is \"{}\", the prediction is \"{}\"", sample.path, truth, answer);
    }
  }
  lines.add(right == trial.images().size(), "predict",
            fmt::format("{} of {} images of the batch are predicted correctly", right,
                        trial.images().size()),
            wrong);
}

}  // namespace

int check_recipe(const Options& given, Reporter& reporter,
                 const faces::MakeFaceFinder& make_finder) {
  Options options = given;
  if (options.batch_size == 0) options.batch_size = Options().batch_size;  // not what is checked
  check_options(options);
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  limit_memory(options.memory.bytes, {.threads = options.threads, .workers = options.workers});
  check_precision(options.precision, choose_device(options.device));
  const PrecisionScope precision(options.precision);
  start_weights(options);  // a missing file is reported before the data are read
  const ScratchFolder scratch("finetune-check");
  const std::optional<ExperimentData> prepared =
      prepare_cropped_data(options, reporter, make_finder);
  if (!prepared) throw Error("interrupted");
  const ExperimentData& data = *prepared;
  const int fold = selected_folds(options, data.fold_count).front();
  const std::size_t classes = data.dataset.class_names.size();
  Lines lines(reporter);
  lines.add(true, "data",
            fmt::format("{} images of {} classes, {} unreadable", data.dataset.samples.size(),
                        classes, data.bad.size()));
  if (data.faces) lines.add(true, "faces", faces::describe(*data.faces));
  check_split(lines, data, fold);
  check_labels(lines, options, data, scratch);

  OverfitTrial trial({.options = options,
                      .data = data,
                      .reporter = reporter,
                      .fold = fold,
                      .start_weights = start_weights(options)});
  const double first = check_first_step(lines, trial, classes);
  const bool overfit = trial.overfit(kOverfit * std::max(first, 0.1));
  lines.add(overfit, "overfit",
            fmt::format("{} images in {} steps: loss {:.3f} to {:.3f}", trial.images().size(),
                        trial.steps(), first, trial.last_loss()),
            "too few parameters are trained (--mode, --freeze), --lr is far off, or labels do not "
            "match their images");
  if (!overfit) return kFailure;
  // Batch norm sees a batch of its own differently from its running statistics: where the margin
  // is too small for that, it grows by further steps.
  double accuracy = trial.evaluation_accuracy();
  while (accuracy < 1 && trial.steps() < OverfitTrial::kMostSteps) {
    trial.overfit(kOverfit * trial.last_loss());
    accuracy = trial.evaluation_accuracy();
  }
  lines.add(accuracy == 1, "evaluation",
            fmt::format("accuracy {:.3f} on the batch in evaluation mode", accuracy),
            "training and evaluation differ: batch norm's running statistics or dropout?");
  check_predict(lines, trial, data, scratch, make_finder);
  return lines.all_hold() ? kSuccess : kFailure;
}

}  // namespace hanok::training
