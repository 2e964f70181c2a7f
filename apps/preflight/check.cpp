#include "hanok/apps/preflight/check.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <optional>
#include <set>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/prediction/predictor.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/training/batch_source.h"
#include "hanok/apps/training/evaluation.h"
#include "hanok/apps/training/experiment_data.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/apps/training/image_loading.h"
#include "hanok/apps/training/loss.h"
#include "hanok/apps/training/optimization.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/data/loader.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/nn/grad_scaler.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kBatch = 16;      // images that are learned by heart
constexpr std::int64_t kMaxSteps = 200;  // in which that must succeed
constexpr double kLearned = 0.1;         // share of the first loss that counts as learned
constexpr int kSettlingPasses = 40;      // running statistics then hold 1.5% of older ones

/// The lines on the screen.
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

/// A folder that goes away with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "finetune-check-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      throw IoError(pattern + ": cannot make a temporary folder");
    }
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
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
            fmt::format("{} of {} survive the way through folds.csv",
                        data.dataset.samples.size() - wrong, data.dataset.samples.size()),
            fmt::format("\"{}\" is the first that changed", first));
}

/// Up to `count` training images, from each class in turn.
std::vector<std::int64_t> pick_batch(const ExperimentData& data, int fold, std::int64_t count) {
  std::vector<std::vector<std::int64_t>> of_class(data.dataset.class_names.size());
  for (const std::int64_t i : data.training(fold)) {
    of_class[static_cast<std::size_t>(sample_at(data.dataset, i).label)].push_back(i);
  }
  std::vector<std::int64_t> picked;
  for (std::size_t turn = 0; picked.size() < static_cast<std::size_t>(count); ++turn) {
    const std::size_t before = picked.size();
    for (const std::vector<std::int64_t>& members : of_class) {
      if (turn < members.size() && picked.size() < static_cast<std::size_t>(count)) {
        picked.push_back(members[turn]);
      }
    }
    if (picked.size() == before) break;
  }
  return picked;
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

/// One network and one batch, on --device.
struct Trial {
  const Options& options;
  nn::Module& model;
  nn::Optimizer& optimizer;
  TrainingLoss loss;
  Device device;
  data::Batch batch;
  std::optional<nn::GradScaler> scaler;  // of the loss, with --precision f16

  /// A step of training; the loss before it, and whether all answers were right.
  std::pair<double, bool> step(std::int64_t number, const std::function<void()>& before_update) {
    StepTransaction transaction;
    Generator::global().begin_step(0, number);
    optimizer.zero_grad();
    const Tensor logits = model(batch.images);
    const Tensor value = loss(logits, batch.labels.to(device), loss.denominator(batch.labels));
    value.backward(scaler ? scaler->scale() : Tensor());
    if (scaler) scaler->unscale(model.parameters());
    before_update();
    optimizer.step();
    if (scaler) scaler->update();
    transaction.commit();
    return {static_cast<double>(value.item()),
            ops::argmax(logits.detach(), 1).to_int_vector() == batch.labels.to_int_vector()};
  }
};

/// The first loss and gradients, before anything is learned.
double check_first_step(Lines& lines, Trial& trial, std::int64_t classes, bool new_head) {
  trial.model.train();
  const double first = trial.step(0, [&] { check_gradients(lines, trial.model); }).first;
  const double expected = std::log(static_cast<double>(classes));
  if (new_head) {
    lines.add(std::abs(first - expected) <= 0.5 + 0.25 * expected, "first loss",
              fmt::format("{:.3f}; ln({}) is {:.3f}", first, classes, expected),
              "a head that knows nothing yet should be near: wrong number of classes, softmax "
              "before the loss, or inputs that are not normalised?");
  } else {
    lines.skip("first loss", fmt::format("{:.3f}: the head is not new", first));
  }
  return first;
}

struct Learned {
  bool all = false;  // the loss fell to the goal, with all answers right
  std::int64_t steps = 1;
  double loss = 0;
};

/// Goes on learning the batch by heart, in training mode.
void learn(Trial& trial, double goal, Learned& learned) {
  trial.model.train();
  learned.all = false;
  while (learned.steps < kMaxSteps && !learned.all) {
    if (interrupted()) throw Error("interrupted");
    const auto [loss, right] = trial.step(learned.steps++, [] {});
    learned.loss = loss;
    if (!std::isfinite(loss)) return;
    learned.all = right && loss <= goal;
  }
}

/// Accuracy on the batch in evaluation mode.
double evaluation_accuracy(Trial& trial, data::Loader& loader, std::int64_t classes,
                           Reporter& reporter) {
  {
    const NoGrad no_grad;  // running statistics catch up with the last weights
    for (int pass = 0; pass < kSettlingPasses; ++pass) trial.model(trial.batch.images);
  }
  ImageBatches batches(trial.model, loader, reporter);
  const std::optional<Evaluation> evaluation =
      evaluate(trial.model, batches, trial.batch.samples, classes, Tensor());
  if (!evaluation) throw Error("interrupted");
  return evaluation->confusion.accuracy();
}

void check_predict(Lines& lines, const Trial& trial, const ExperimentData& data,
                   const ScratchFolder& scratch) {
  save_model(scratch / "network.safetensors", trial.model,
             {.model = trial.options.model,
              .class_names = data.dataset.class_names,
              .preprocessing = preprocessing(trial.options),
              .hidden = trial.options.hidden});
  PredictOptions ask;
  ask.checkpoint = scratch / "network.safetensors";
  ask.out = scratch / "answers.csv";
  ask.workers = trial.options.workers;
  ask.device = trial.options.device;
  for (const std::int64_t i : trial.batch.samples) {
    ask.images.push_back(data.dataset.full_path(static_cast<std::size_t>(i)));
  }
  predict(ask, lines.reporter());
  const data::Csv answers = data::read_csv(ask.out);
  const std::size_t column = answers.column("label");
  std::size_t right = 0;
  std::string wrong;
  for (std::size_t i = 0; i < trial.batch.samples.size(); ++i) {
    const data::Sample& sample = sample_at(data.dataset, trial.batch.samples[i]);
    const std::string& truth = data.dataset.class_names[static_cast<std::size_t>(sample.label)];
    const std::string answer = i < answers.rows.size() ? answers.rows[i][column] : "nothing";
    right += answer == truth ? 1 : 0;
    if (answer != truth && wrong.empty()) {
      wrong = fmt::format("{} is \"{}\", the answer is \"{}\"", sample.path, truth, answer);
    }
  }
  lines.add(right == trial.batch.samples.size(), "predict",
            fmt::format("{} of {} images of the batch get their class's name", right,
                        trial.batch.samples.size()),
            wrong);
}

}  // namespace

int check_recipe(Options options, Reporter& reporter) {
  check_options(options);
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  const Device device = choose_device(options.device);
  check_precision(options.precision, device);
  const PrecisionScope precision(options.precision);
  const std::string start = start_weights(options);
  const ExperimentData data = prepare_data(options);
  const int fold = selected_folds(options, data.fold_count).front();
  const auto classes = static_cast<std::int64_t>(data.dataset.class_names.size());
  const ScratchFolder scratch;
  Lines lines(reporter);
  lines.add(true, "data",
            fmt::format("{} images of {} classes, {} unreadable", data.dataset.samples.size(),
                        classes, data.bad.size()));
  check_split(lines, data, fold);
  check_labels(lines, options, data, scratch);

  // The plain recipe: what makes learning by heart harder on purpose is left out.
  options.augment = parse_augment("none");
  options.loss = LossKind::CrossEntropy;
  options.label_smoothing = options.mixup = options.cutmix = 0;
  options.batch_size = std::min(kBatch, static_cast<std::int64_t>(data.training(fold).size()));
  Generator::global().set_seed(options.seed);
  Generator::global().begin_step(0, 0);
  const std::unique_ptr<nn::Module> model =
      make_network(options.model, classes, options.image_size, options.hidden);
  const std::string head = nn::head_name(options.model);
  const bool new_head = start.empty() || start_from(*model, head, start).head_kept;
  model->to(device);
  const FreezingPlan freezing(*model, head, freezing_rules(options));
  freezing.apply(*model, options.epochs - 1);  // everything that ever learns
  const std::unique_ptr<nn::Optimizer> optimizer =
      make_optimizer(options, parameter_groups(options, *model, freezing));
  data::Loader loader(data.dataset, evaluation_loader(options));
  const std::vector<std::int64_t> samples = pick_batch(data, fold, options.batch_size);
  Trial trial{options, *model, *optimizer, TrainingLoss(options, classes, Tensor()),
              device,  {},     {}};
  if (options.precision == Precision::F16) {
    trial.scaler.emplace(device);
    optimizer->set_skip(trial.scaler->found());
  }
  DeviceBatches batches(*model, loader);
  loader.start_epoch(0, samples);
  batches.next(trial.batch);

  const double first = check_first_step(lines, trial, classes, new_head);
  Learned learned;
  learn(trial, kLearned * std::max(first, 0.1), learned);
  lines.add(learned.all, "overfit",
            fmt::format("{} images in {} steps: loss {:.3f} to {:.3f}", samples.size(),
                        learned.steps, first, learned.loss),
            "too little or nothing learns (--mode, --freeze), --lr is far off, or labels do not "
            "belong to their images");
  if (!learned.all) return kFailure;
  // Batch norm sees a batch of its own differently from its running statistics: where the margin
  // is too small for that, it grows by further steps.
  double accuracy = evaluation_accuracy(trial, loader, classes, reporter);
  while (accuracy < 1 && learned.steps < kMaxSteps) {
    learn(trial, kLearned * learned.loss, learned);
    accuracy = evaluation_accuracy(trial, loader, classes, reporter);
  }
  lines.add(accuracy == 1, "evaluation",
            fmt::format("accuracy {:.3f} on the batch in evaluation mode", accuracy),
            "training and evaluation differ: batch norm's running statistics or dropout?");
  check_predict(lines, trial, data, scratch);
  return lines.all_hold() ? kSuccess : kFailure;
}

}  // namespace hanok::training
