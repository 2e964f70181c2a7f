// The options of a run, in the order of --help and config.toml.
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/option_entry.h"
#include "hanok/apps/options/option_values.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

/// --hidden: units of each layer, in order.
void add_hidden(OptionTable& table) {
  OptionEntry& entry =
      table.add({"hidden", "N"}, "insert a layer of N units before the head; repeatable",
                OptionEntry::Kind::List);
  entry.get = [](const Options& options) {
    std::vector<std::string> texts;
    for (const std::int64_t units : options.hidden) texts.push_back(std::to_string(units));
    return texts;
  };
  entry.set = [](Options& options, const std::vector<std::string>& values) {
    std::vector<std::int64_t> hidden;
    for (const std::string& value : values) {
      hidden.push_back(whole_number("hidden", value, "a whole number"));
      if (hidden.back() < 1 || hidden.back() > 65536) {
        throw UsageError(fmt::format("--hidden: must lie between 1 and 65536, got {}", value));
      }
    }
    options.hidden = hidden;
  };
}

void add_data_options(OptionTable& table) {
  table.section("Data");
  table
      .text({"data", "DIR"}, "folder with the images; beside --resume: where they were moved to",
            &Options::data)
      .free_on_resume = true;
  table.choice(
      {"layout", "L"},
      "how the folder is laid out: a folder per class, the mask competition's train.csv, a "
      "labels.csv with columns path, label and perhaps group (--data may name the file), or shards "
      "(tar archives that `convert` or webdataset wrote)",
      &Options::layout);
  table.text({"path-column", "NAME"},
             "the table's column with image files; without it: path, image, filename, id_code, ...",
             &Options::path_column);
  table.text({"label-column", "NAME"},
             "the table's column with classes; without it: label, class, target, diagnosis, ...",
             &Options::label_column);
  table
      .value({"group", "G"},
             "auto: files of one person or photograph never cross folds; none: every file by "
             "itself; or a table with columns path and group (inspect data writes one)",
             &Options::group, parse_grouping)
      .choices = {"auto", "none", "FILE"};
  table
      .value(
          {"folds", "N"},
          "number of stratified folds; given: the data's own folders train and val instead; auto: "
          "given if the data have them, else 5",
          &Options::folds, parse_fold_count)
      .kind = OptionEntry::Kind::TextOrInteger;
  table.integer("repeats", "above 1: so many shuffled K-folds; fold I is number I % K of them",
                &Options::repeats, {.low = 1, .high = 100});
  table.text({"folds-file", "CSV"},
             "take the folds from a table with columns path and fold, such as a run's folds.csv",
             &Options::folds_file);
  table.text({"corrections", "CSV"},
             "train on labels as corrected by this table, which the page of labels saves; scores "
             "are reported against the old and the new labels",
             &Options::corrections);
  table
      .value({"fold", "I"}, "train only fold I (0 is the first), or all", &Options::fold,
             parse_fold)
      .kind = OptionEntry::Kind::TextOrInteger;
  table.real("val-fraction", "above 0: one stratified hold-out of this share instead of folds",
             &Options::val_fraction, {.low = 0, .high = 1});
  table.toggle("allow-bad",
               "continue even if more than 5% of the images cannot be read, and without damaged "
               "shards",
               &Options::allow_bad);
}

void add_model_options(OptionTable& table) {
  table.section("Model");
  table.text({"model", "NAME"}, "network", &Options::model, nn::model_names());
  table.value({"weights", "W"},
              "imagenet, none (random), or a .pth or .safetensors file to start from",
              &Options::weights, parse_start_weights);
  table.texts({"rename", "FROM=TO"},
              "rename the file's tensors whose names start with FROM, e.g. 'encoder=' to remove a "
              "prefix; repeatable",
              &Options::rename);
  table.choice({"mode", "M"},
               "feature-extraction: only the head learns; finetune: everything; gradual: the head "
               "first, then block by block",
               &Options::mode);
  table.texts({"freeze", "GLOB"},
              "freeze matching parameters or layers, e.g. 'layer[12]*'; repeatable",
              &Options::freeze);
  table.values({"unfreeze-at", "EPOCH=GLOB"},
               "what matches is trained from this epoch on and frozen before, e.g. 3=layer4; "
               "repeatable",
               &Options::unfreeze_at, parse_unfreeze_at);
  add_hidden(table);
}

void add_training_options(OptionTable& table) {
  table.section("Training");
  table.integer("epochs", "passes over the training images", &Options::epochs,
                {.low = 1, .high = kMostEpochs});
  table.integer_or_auto("batch-size",
                        "images per step; auto: what this machine computes fastest of what fits "
                        "its memory, measured before the first epoch and recorded with the run",
                        &Options::batch_size, {.low = 1, .high = kMostImages});
  table.choice({"optimizer", "O"}, "update rule (sgd has Nesterov momentum 0.9)",
               &Options::optimizer);
  table.real("lr", "learning rate (its highest value, under a schedule)", &Options::lr,
             {.low = 0, .without_low = true});
  table.real("head-lr", "learning rate of the head; 0: as the rest", &Options::head_lr, {.low = 0});
  table.values({"lr-group", "GLOB=LR"},
               "learning rate of what matches, e.g. 'layer[12]=1e-4'; repeatable",
               &Options::lr_group, parse_lr_group);
  table.real("weight-decay", "weight decay", &Options::weight_decay, {.low = 0});
  table.choice({"scheduler", "S"}, "course of the learning rate", &Options::scheduler);
  table.integer("warmup",
                "steps in which the learning rate rises before a cosine or constant "
                "schedule (one-cycle warms up by itself)",
                &Options::warmup, {.low = 0});
  table.choice({"loss", "L"},
               "what is minimised; focal gives less weight to images that are predicted well "
               "already. val_loss is the "
               "cross-entropy with either",
               &Options::loss);
  table.real("focal-gamma", "exponent of focal loss", &Options::focal_gamma,
             {.low = 0, .high = 100});
  table.choice({"noise-robust", "N"},
               "a cross-entropy that wrong labels mislead less. gce: generalised cross-entropy, "
               "between it and the absolute error; bootstrap: targets are mixed with the network's "
               "own predictions; trim: the largest losses of a batch are left out after the first "
               "epoch",
               &Options::noise_robust);
  table.real("gce-q", "of --noise-robust gce: near 0 it is cross-entropy, near 1 absolute error",
             &Options::gce_q, {.low = 0.01, .high = 1});
  table.real("bootstrap-beta", "of --noise-robust bootstrap: the given targets' share",
             &Options::bootstrap_beta, {.low = 0, .high = 1});
  table.real("trim-share", "of --noise-robust trim: the share of a batch that is left out",
             &Options::trim_share, {.low = 0, .high = 0.9});
  table.real("label-smoothing", "share of each target spread over all classes",
             &Options::label_smoothing, {.low = 0, .high = 1});
  table.choice({"class-weights", "C"}, "balanced: a rare class's images count for more in the loss",
               &Options::class_weights);
  table.choice({"sampler", "S"},
               "images of an epoch: shuffled: each once; over: small classes repeated; under: "
               "as many of each class as the smallest has; class-balanced: drawn, classes equally "
               "likely",
               &Options::sampler);
  table.integer("shuffle-buffer",
                "of data in shards: shards are read one after the other, and an image moves by "
                "fewer than so many places from where it lies; other data are shuffled as a whole",
                &Options::shuffle_buffer, {.low = 1});
  table.real("clip-norm", "scale gradients down to this norm; 0: never", &Options::clip_norm,
             {.low = 0});
  table.real(
      "ema",
      "validate and keep an exponential average of the weights with this decay, e.g. 0.99; 0: "
      "the weights themselves",
      &Options::ema, {.low = 0, .high = 1});
  table.integer("accumulate",
                "compute each batch in N parts, whose gradients add up: less memory, "
                "the same mean",
                &Options::accumulate, {.low = 1, .high = 4096});
  table.toggle("virtual-batch",
               "where a batch is computed in parts (--accumulate, or memory was short), batch norm "
               "uses the statistics of all of it: the result of the whole batch, to rounding, in "
               "several times the time",
               &Options::virtual_batch);
  table.integer("slices",
                "cut each batch into N slices, whose sums are made along one fixed tree: the same "
                "bits on 1, 2, 4, ... N processes that mpirun starts; 0: one slice a process",
                &Options::slices, {.low = 0, .high = 4096});
  table.toggle("local-batch-norm",
               "with several processes: batch norm sees the images of its own process alone, which "
               "saves messages and gives another result for each number of them",
               &Options::local_batch_norm);
  table.integer("max-steps", "end each fold after N steps; 0: no limit", &Options::max_steps,
                {.low = 0});
}

void add_image_options(OptionTable& table) {
  table.section("Images");
  table.integer("image-size", "images are scaled to N x N pixels", &Options::image_size,
                {.low = 8, .high = 4096});
  table.choice(
      {"crop", "C"},
      "center: scale the shorter side to 8/7 of the image size and cut the middle out; none: "
      "scale all of the image, whatever its shape; face: cut out the largest face, or the middle "
      "where none is found (./dev weights mtcnn installs the detector)",
      &Options::crop);
  table.real("face-margin",
             "with --crop face: what is cut out is a square, as long as the longer side of the "
             "face's box and this share of it on each side; inside the image",
             &Options::face_margin, {.low = 0, .high = 10});
  table.toggle("grayscale", "convert all images to grey", &Options::grayscale);
  OptionEntry& augment =
      table.value({"augment", "A"},
                  "random changes of each image. light: flips and small shifts; strong: also "
                  "crops, turns, colours, blur, erasing; randaugment: light and two random "
                  "operations; or a TOML file that lists transforms, as docs/augment.toml",
                  &Options::augment, parse_augment);
  augment.choices = data::augmentation_names();
  augment.choices.emplace_back("FILE");
  table.real("mixup", "mix pairs of images by shares from Beta(X,X); 0: never", &Options::mixup,
             {.low = 0, .high = 100});
  table.real("cutmix", "paste rectangles of other images, areas from Beta(X,X); 0: never",
             &Options::cutmix, {.low = 0, .high = 100});
  table.integer("augment-repeats",
                "above 0: each image has N augmentations that are reused in turn, instead of a new "
                "one every epoch",
                &Options::augment_repeats, {.low = 0, .high = 1000});
}

void add_stopping_options(OptionTable& table) {
  table.section("Stopping and reports");
  table.integer("patience", "epochs without improvement before a fold ends; 0: never ends early",
                &Options::patience, {.low = 0});
  table.real("min-delta", "smallest change that counts as an improvement", &Options::min_delta,
             {.low = 0});
  table.choice({"monitor", "V"}, "the value that selects the best epoch, whose weights are kept",
               &Options::monitor);
  table.texts({"report-subset", "GLOB"},
              "also report macro F1 on validation files whose path or name matches; repeatable",
              &Options::report_subset);
  table.toggle("baselines", "also train on shuffled labels and report that macro F1",
               &Options::baselines);
  table.integer("log-steps", "print every Nth step and keep it in fold_K/steps.csv; 0: none",
                &Options::log_steps, {.low = 0});
  table
      .toggle("tensorboard",
              "write event files for TensorBoard into RUN/tensorboard: scalars of each epoch, "
              "augmented photographs, the network's graph. The result does not depend on it",
              &Options::tensorboard)
      .free_on_resume = true;
  table
      .toggle("find-labels",
              "at the end look for labels that are probably wrong, as the program labels does: "
              "RUN/labels.html and RUN/suspects.csv. Needs all folds",
              &Options::find_labels)
      .free_on_resume = true;
}

void add_machine_options(OptionTable& table) {
  table.section("Machine");
  table.integer("seed", "of all random numbers", &Options::seed, {.low = 0});
  table
      .integer("threads", "compute threads; 0: one per CPU. The result does not depend on it",
               &Options::threads, {.low = 0, .high = kMostThreads})
      .free_on_resume = true;
  table
      .integer("workers", "threads that read images ahead. The result does not depend on it",
               &Options::workers, {.low = 1, .high = kMostWorkers})
      .free_on_resume = true;
  table
      .value({"device", "D"},
             "where to compute: cpu, cuda (the first GPU) or cuda:N; auto: the best available",
             &Options::device, parse_device)
      .free_on_resume = true;
  table.choice(
      {"precision", "P"},
      "in what convolutions and products compute: f32; on the CPU also int16 (products of 16-bit "
      "integers); on a GPU also tf32 and bf16 (sm_80 and newer) and f16 (with loss scaling). "
      "Weights, their gradients and the optimiser's state "
      "are f32 always",
      &Options::precision);
  table
      .choice(
          {"cuda-graph", "G"},
          "on a GPU, record a step where the shapes of batches repeat, and launch it as a whole "
          "from then on, instead of each of its several hundred kernels by itself: small networks "
          "and batches wait less for the host. no: always one by one, so that a profiler or "
          "debugger sees each. The result does not depend on it",
          &Options::cuda_graph)
      .free_on_resume = true;
  table
      .choice(
          {"cache-images", "C"},
          "keep images decoded and scaled, so that later epochs need not do it; auto: as many as "
          "--image-budget holds; yes: the rest in a temporary file. The result does "
          "not depend on it",
          &Options::cache_images)
      .free_on_resume = true;
  table
      .integer("image-budget", "memory for cached images in MiB. The result does not depend on it",
               &Options::image_budget, {.low = 0, .high = std::int64_t{1} << 30})
      .free_on_resume = true;
  table
      .choice(
          {"cache-features", "C"},
          "cache the outputs of frozen layers at the start of the network, so that later epochs "
          "need not compute them; auto: where images are not augmented. The result does not "
          "depend on it",
          &Options::cache_features)
      .free_on_resume = true;
  table
      .integer("cache-budget",
               "memory for cached features in MiB; what exceeds it goes into a temporary file. The "
               "result does not depend on it",
               &Options::cache_budget, {.low = 0, .high = std::int64_t{1} << 30})
      .free_on_resume = true;
  table
      .value({"memory", "SIZE"},
             "what the whole process may hold in main memory, e.g. 700M or 2G; auto: what the "
             "machine, its control group and `ulimit` leave. What does not fit is computed twice "
             "instead of kept, then in parts, as with --accumulate",
             &Options::memory, parse_memory)
      .free_on_resume = true;
  table
      .toggle("profile",
              "profile the first steps into profile.json (a trace for Perfetto) and "
              "profile.txt (a table). The result does not depend on it",
              &Options::profile)
      .free_on_resume = true;
  table
      .toggle(
          "detect-anomaly",
          "check every kernel's results and end at the first value that is not finite, naming "
          "layer, op, shape and pass. On the CPU only; slower. The result does not depend on it",
          &Options::detect_anomaly)
      .free_on_resume = true;
  table.toggle("autotune",
               "measure which algorithm (on a GPU: which of cuDNN's kernels) computes each "
               "convolution fastest on this machine, keep the choices with the run and use them, "
               "also with --resume. Algorithms round differently: the result then depends on what "
               "was measured, and another run may choose otherwise",
               &Options::autotune);
}

OptionTable make_table() {
  OptionTable table;
  add_data_options(table);
  add_model_options(table);
  add_training_options(table);
  add_image_options(table);
  add_stopping_options(table);
  add_machine_options(table);
  return table;
}

}  // namespace

const std::vector<OptionEntry>& option_table() {
  static const OptionTable table = make_table();
  return table.entries();
}

}  // namespace hanok::training
