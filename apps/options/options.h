// The options of a training run, parsed into enums and values once. One table describes every
// option; --help, the command line,
// --config FILE, --print-config and the run folder's config.toml are all made from it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hanok/apps/options/choices.h"
#include "hanok/apps/options/option_values.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Highest useful values: beyond them numbers overflow or threads only slow each other down.
constexpr std::int64_t kMostImages = std::int64_t{1} << 20;  // in a batch
constexpr std::int64_t kMostThreads = 1024, kMostWorkers = 256, kMostEpochs = 1'000'000;

struct Options {
  // data
  std::string data{};
  Layout layout = Layout::Auto;
  Grouping group{};  // auto
  std::string path_column{}, label_column{};
  FoldCount folds{};  // auto
  std::int64_t repeats = 1;
  std::string folds_file{};
  std::string corrections{};
  FoldChoice fold{};  // all
  double val_fraction = 0;
  bool allow_bad = false;
  // model
  std::string model = "resnet18";
  StartWeights weights{};             // ImageNet's
  std::vector<std::string> rename{};  // FROM=TO
  FreezingMode mode = FreezingMode::Finetune;
  std::vector<std::string> freeze{};
  std::vector<EpochGlob> unfreeze_at{};
  std::vector<std::int64_t> hidden{};
  // training
  std::int64_t epochs = 12;
  std::int64_t batch_size = 32;  // 0: auto, until it is chosen
  OptimizerKind optimizer = OptimizerKind::AdamW;
  double lr = 1e-3;
  double head_lr = 0;
  std::vector<GlobRate> lr_group{};
  double weight_decay = 0.01;
  ScheduleKind scheduler = ScheduleKind::OneCycle;
  std::int64_t warmup = 0;
  LossKind loss = LossKind::CrossEntropy;
  double focal_gamma = 2;
  NoiseRobust noise_robust = NoiseRobust::None;
  double gce_q = 0.7;
  double bootstrap_beta = 0.95;
  double trim_share = 0.1;
  double label_smoothing = 0;
  ClassWeights class_weights = ClassWeights::None;
  data::Sampling sampler = data::Sampling::Shuffled;
  std::int64_t shuffle_buffer = 1024;
  double clip_norm = 0;
  double ema = 0;
  std::int64_t accumulate = 1;
  bool virtual_batch = false;
  std::int64_t slices = 0;  // 0: one a rank
  bool local_batch_norm = false;
  std::int64_t max_steps = 0;
  // images
  std::int64_t image_size = 224;
  Crop crop = Crop::None;
  double face_margin = 0.3;
  bool grayscale = false;
  AugmentChoice augment{};  // light
  double mixup = 0;
  double cutmix = 0;
  std::int64_t augment_repeats = 0;
  // when to stop, what to report
  std::int64_t patience = 5;
  double min_delta = 0;
  Monitor monitor = Monitor::ValLoss;
  std::vector<std::string> report_subset{};
  bool baselines = false;
  std::int64_t log_steps = 0;
  bool tensorboard = false;
  bool find_labels = false;
  // machine
  std::uint64_t seed = 0;
  std::int64_t threads = 0;
  std::int64_t workers = 2;
  DeviceChoice device{};  // auto
  Precision precision = Precision::F32;
  YesNo cuda_graph = YesNo::Yes;
  Caching cache_images = Caching::Auto;
  std::int64_t image_budget = 512;  // MiB
  Caching cache_features = Caching::Auto;
  std::int64_t cache_budget = 1024;  // MiB
  MemorySize memory{};               // auto
  bool profile = false;
  bool detect_anomaly = false;
  bool autotune = false;
};

/// One option: how it is called, what it takes, and how it is read from and written into Options.
struct OptionEntry {
  /// How it is written in TOML: as a text, a number, true or false, or an array of texts.
  enum class Kind { Text, TextOrInteger, Integer, Real, Switch, List };
  std::string section;     // heading in --help and config.toml
  std::string name;        // "batch-size": --batch-size on the command line, batch-size in TOML
  std::string value_name;  // "N"; empty for a switch
  std::string help;
  Kind kind;
  std::vector<std::string> choices;  // names for --help and completion; empty: any text
  bool free_on_resume = false;       // may be given beside --resume: it does not change the result
  /// The value as texts; one but for lists.
  std::function<std::vector<std::string>(const Options&)> get;
  /// Parses, checks the range and stores. Throws UsageError naming the option.
  std::function<void(Options&, const std::vector<std::string>&)> set;
};

/// Every option of a run, in the order of --help and config.toml.
const std::vector<OptionEntry>& option_table();
/// Throws UsageError with near names.
const OptionEntry& find_option(const std::string& name);

/// All options as TOML, with their help as comments; then `tables`, which are no options; then the
/// transforms of a file of --augment.
std::string to_toml(const Options& options, const std::string& tables = "");
/// Overwrites the options that the file sets. Throws UsageError naming file, key and what is wrong.
void apply_toml_file(Options& options, const std::string& path);
void apply_toml(Options& options, const std::string& text, const std::string& name);

/// Checks what concerns several options at once. Throws UsageError.
void check_options(const Options& options);

/// The folds to train: all of them, or the one of --fold. Throws UsageError if there is no such.
std::vector<int> selected_folds(const Options& options, int fold_count);

}  // namespace hanok::training
#pragma GCC visibility pop
