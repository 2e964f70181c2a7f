// The options of a run, in the order of --help and config.toml.
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/augmentation_toml.h"
#include "hanok/apps/options/option_entry.h"
#include "hanok/apps/options/option_pairs.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

using namespace entry;
using Kind = OptionEntry::Kind;

/// --hidden: units of each layer, in order.
OptionEntry hidden_option() {
  OptionEntry entry{
      "Model",    "hidden", "N", "put a layer of N units in front of the head; repeatable",
      Kind::List, {},       {},  {}};
  entry.get = [](const Options& options) {
    Texts texts;
    for (const std::int64_t units : options.hidden) texts.push_back(std::to_string(units));
    return texts;
  };
  entry.set = [](Options& options, const Texts& values) {
    std::vector<std::int64_t> hidden;
    for (const std::string& value : values) {
      hidden.push_back(whole_number("hidden", value, "a whole number"));
      if (hidden.back() < 1 || hidden.back() > 65536) {
        throw UsageError(fmt::format("--hidden: must lie between 1 and 65536, got {}", value));
      }
    }
    options.hidden = hidden;
  };
  return entry;
}

/// --fold takes a number or "all".
OptionEntry fold_option() {
  OptionEntry entry =
      text("Data", "fold", "I", "train only fold I (0 is the first), or all", &Options::fold);
  entry.set = [](Options& options, const Texts& values) {
    const std::string value = single("fold", values);
    if (value != "all" && whole_number("fold", value, "a fold's number or \"all\"") < 0) {
      throw UsageError(fmt::format("--fold: must be at least 0, got {}", value));
    }
    options.fold = value;
  };
  return entry;
}

/// --augment takes a name or a file; the file is read at once.
OptionEntry augment_option() {
  OptionEntry entry{"Images",
                    "augment",
                    "A",
                    "random changes of each image. light: flips and small shifts; strong: also "
                    "crops, turns, colours, blur, erasing; randaugment: light and two random "
                    "operations; or a TOML file that lists transforms, as docs/augment.toml",
                    Kind::Text,
                    data::augmentation_names(),
                    {},
                    {}};
  entry.choices.emplace_back("FILE");
  entry.get = [](const Options& options) { return Texts{options.augment}; };
  entry.set = [](Options& options, const Texts& values) {
    const std::string value = single("augment", values);
    if (data::is_augmentation_name(value)) {
      options.augmentation = data::named_augmentation(value);
    } else if (std::filesystem::is_regular_file(value)) {
      options.augmentation = read_augmentation(value);
    } else {
      throw UsageError(fmt::format("--augment: expects one of {}, or a TOML file; got \"{}\"",
                                   fmt::join(data::augmentation_names(), ", "), value));
    }
    options.augment = value;
  };
  return entry;
}

std::vector<OptionEntry> make_table() {
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<OptionEntry> table;
  auto add = [&table](OptionEntry entry) { table.push_back(std::move(entry)); };

  add(text("Data", "data", "DIR", "folder with the images", &Options::data));
  add(text("Data", "layout", "L",
           "how the folder is laid out: a folder per class, the mask competition's train.csv, or a "
           "labels.csv with columns path, label and perhaps group (--data may name the file)",
           &Options::layout, {"auto", "folder", "competition", "csv"}));
  add(text("Data", "group", "G",
           "auto: files of one person or photograph never cross folds; none: every file by itself",
           &Options::group, {"auto", "none"}));
  add(integer<std::int64_t>("Data", "folds", "number of stratified folds", &Options::folds, 2,
                            1000));
  add(integer<std::int64_t>("Data", "repeats",
                            "above 1: so many shuffled K-folds; fold I is number I % K of them",
                            &Options::repeats, 1, 100));
  add(text("Data", "folds-file", "CSV",
           "take the folds from a table with columns path and fold, such as a run's folds.csv",
           &Options::folds_file));
  add(fold_option());
  add(real("Data", "val-fraction",
           "above 0: one stratified hold-out of this share instead of folds",
           &Options::val_fraction, 0, 1));
  add(toggle("Data", "allow-bad", "go on even if more than 5% of the images cannot be read",
             &Options::allow_bad));

  add(text("Model", "model", "NAME", "network", &Options::model, nn::model_names()));
  add(text("Model", "weights", "W",
           "imagenet, none (random), or a .pth or .safetensors file to start from",
           &Options::weights));
  add(text("Model", "mode", "M",
           "feature-extraction: only the head learns; finetune: everything; gradual: the head "
           "first, then block by block",
           &Options::mode, {"feature-extraction", "finetune", "gradual"}));
  add(list("Model", "freeze", "GLOB",
           "keep matching parameters or layers as they are, e.g. 'layer[12]*'; repeatable",
           &Options::freeze));
  add(checked_list("Model", "unfreeze-at", "EPOCH=GLOB",
                   "what matches learns from this epoch on and is frozen before, e.g. 3=layer4; "
                   "repeatable",
                   &Options::unfreeze_at,
                   [](const std::string& value) { parse_unfreeze_at(value); }));
  add(hidden_option());

  add(integer<std::int64_t>("Training", "epochs", "passes over the training images",
                            &Options::epochs, 1, kMostEpochs));
  add(integer<std::int64_t>("Training", "batch-size", "images a step", &Options::batch_size, 1,
                            kMostImages));
  add(text("Training", "optimizer", "O", "update rule (sgd has Nesterov momentum 0.9)",
           &Options::optimizer, {"adamw", "adam", "sgd", "rmsprop"}));
  add(real("Training", "lr", "learning rate (its highest value, under a schedule)", &Options::lr, 0,
           infinity, true));
  add(real("Training", "head-lr", "learning rate of the head; 0: as the rest", &Options::head_lr, 0,
           infinity));
  add(checked_list("Training", "lr-group", "GLOB=LR",
                   "learning rate of what matches, e.g. 'layer[12]=1e-4'; repeatable",
                   &Options::lr_group, [](const std::string& value) { parse_lr_group(value); }));
  add(real("Training", "weight-decay", "weight decay", &Options::weight_decay, 0, infinity));
  add(text("Training", "scheduler", "S", "course of the learning rate", &Options::scheduler,
           {"one-cycle", "cosine", "constant"}));
  add(integer<std::int64_t>("Training", "warmup",
                            "steps in which the learning rate rises before a cosine or constant "
                            "schedule (one-cycle warms up by itself)",
                            &Options::warmup, 0));
  add(text("Training", "loss", "L",
           "what is minimised; focal looks less at images that are right already. val_loss is the "
           "cross-entropy with either",
           &Options::loss, {"cross-entropy", "focal"}));
  add(real("Training", "focal-gamma", "exponent of focal loss", &Options::focal_gamma, 0, 100));
  add(real("Training", "label-smoothing", "share of each target spread over all classes",
           &Options::label_smoothing, 0, 1));
  add(text("Training", "class-weights", "C",
           "balanced: a rare class's images count for more in the loss", &Options::class_weights,
           {"none", "balanced"}));
  add(text("Training", "sampler", "S",
           "images of an epoch: shuffled: each once; over: small classes again and again; under: "
           "as many of each class as the smallest has; class-balanced: drawn, classes equally "
           "likely",
           &Options::sampler, {"shuffled", "over", "under", "class-balanced"}));
  add(real("Training", "clip-norm", "scale gradients down to this norm; 0: never",
           &Options::clip_norm, 0, infinity));
  add(real("Training", "ema",
           "validate and keep an exponential average of the weights with this decay, e.g. 0.99; 0: "
           "the weights themselves",
           &Options::ema, 0, 1));
  add(integer<std::int64_t>("Training", "accumulate",
                            "compute each batch in N parts, whose gradients add up: less memory, "
                            "the same mean",
                            &Options::accumulate, 1, 4096));
  add(integer<std::int64_t>("Training", "max-steps", "end each fold after N steps; 0: no limit",
                            &Options::max_steps, 0));

  add(integer<std::int64_t>("Images", "image-size", "images are scaled to N x N pixels",
                            &Options::image_size, 8, 4096));
  add(text("Images", "crop", "C",
           "center: scale the shorter side to 8/7 of the image size and cut the middle out; none: "
           "scale all of the image, whatever its shape",
           &Options::crop, {"none", "center"}));
  add(toggle("Images", "grayscale", "take the colour out of all images", &Options::grayscale));
  add(augment_option());
  add(real("Images", "mixup", "mix pairs of images by shares from Beta(X,X); 0: never",
           &Options::mixup, 0, 100));
  add(real("Images", "cutmix", "paste rectangles of other images, areas from Beta(X,X); 0: never",
           &Options::cutmix, 0, 100));
  add(integer<std::int64_t>("Images", "augment-repeats",
                            "above 0: each image has N augmentations that come again in turn, "
                            "instead of a new one every epoch",
                            &Options::augment_repeats, 0, 1000));

  add(integer<std::int64_t>("Stopping and reports", "patience",
                            "epochs without improvement before a fold ends; 0: never ends early",
                            &Options::patience, 0));
  add(real("Stopping and reports", "min-delta", "smallest change that counts as an improvement",
           &Options::min_delta, 0, infinity));
  add(text("Stopping and reports", "monitor", "V",
           "what tells the best epoch, whose weights are kept", &Options::monitor,
           {"val_loss", "val_f1"}));
  add(list("Stopping and reports", "report-subset", "GLOB",
           "also report macro F1 on validation files whose path or name matches; repeatable",
           &Options::report_subset));
  add(toggle("Stopping and reports", "baselines",
             "also train on shuffled labels and report that macro F1", &Options::baselines));
  add(integer<std::int64_t>("Stopping and reports", "log-steps",
                            "print every Nth step and keep it in fold_K/steps.csv; 0: none",
                            &Options::log_steps, 0));

  add(integer<std::uint64_t>("Machine", "seed", "of all random numbers", &Options::seed, 0));
  add(integer<std::int64_t>("Machine", "threads",
                            "compute threads; 0: one a CPU. The result does not depend on it",
                            &Options::threads, 0, kMostThreads));
  add(integer<std::int64_t>("Machine", "workers",
                            "threads that read images ahead. The result does not depend on it",
                            &Options::workers, 1, kMostWorkers));
  add(text("Machine", "device", "D",
           "where to compute: cpu, cuda (the first GPU) or cuda:N; auto takes the best there is",
           &Options::device));
  add(text("Machine", "precision", "P",
           "in what convolutions and products compute: f32; on a GPU also tf32 and bf16 (sm_80 and "
           "newer) and f16 (with loss scaling). Weights, their gradients and the optimiser's state "
           "are f32 always",
           &Options::precision, {"f32", "tf32", "bf16", "f16"}));
  add(text("Machine", "cuda-graph", "G",
           "on a GPU, record a step where the shapes of batches repeat, and launch it as a whole "
           "from then on, instead of each of its several hundred kernels by itself: small networks "
           "and batches wait less for the host. no: always one by one, so that a profiler or "
           "debugger sees each. The result does not depend on it",
           &Options::cuda_graph, {"yes", "no"}));
  add(text("Machine", "cache-images", "C",
           "keep images decoded and scaled, so that later epochs need not do it; auto: as many as "
           "--image-budget holds; yes: the rest in a file that is gone at the end. The result does "
           "not depend on it",
           &Options::cache_images, {"auto", "yes", "no"}));
  add(integer<std::int64_t>("Machine", "image-budget",
                            "memory for cached images in MiB. The result does not depend on it",
                            &Options::image_budget, 0, std::int64_t{1} << 30));
  add(text("Machine", "cache-features", "C",
           "keep what frozen layers at the start of the network make of each image, so that later "
           "epochs need not compute it; auto: where images are not augmented. The result does not "
           "depend on it",
           &Options::cache_features, {"auto", "yes", "no"}));
  add(integer<std::int64_t>("Machine", "cache-budget",
                            "memory for cached features in MiB; what exceeds it goes into a file "
                            "that is gone at the end. The result does not depend on it",
                            &Options::cache_budget, 0, std::int64_t{1} << 30));
  add(toggle(
      "Machine", "profile",
      "write where the time of the first steps goes: profile.json (a trace for Perfetto) and "
      "profile.txt (a table). The result does not depend on it",
      &Options::profile));
  add(toggle("Machine", "autotune",
             "measure which algorithm (on a GPU: which of cuDNN's kernels) computes each "
             "convolution fastest on this machine, keep the choices with the run and go by them, "
             "also with --resume. Algorithms round differently: the result then depends on what "
             "was measured, and another run may choose otherwise",
             &Options::autotune));
  return table;
}

}  // namespace

const std::vector<OptionEntry>& option_table() {
  static const std::vector<OptionEntry> table = make_table();
  return table;
}

}  // namespace hanok::training
