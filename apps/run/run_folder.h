// A run is a folder:
//   config.toml        every option: `finetune --config` repeats the run
//   environment.json   versions, kernels and CPU: what it was computed with (environment.h)
//   folds.csv          path,label,group,fold
//   faces.csv          with --crop face: the faces that were found
//   unreadable.csv     path,reason of the images left out; only if there are any
//   corrections.csv    with --corrections: a copy of its table
//   metrics.jsonl/csv  one line per epoch
//   profile.json, profile.txt    with --profile
//   conv2d_choices.csv with --autotune
//   cudnn_plans/, cudnn_plans.txt      on a GPU: the kernels chosen for each convolution
//   fold_K/best.safetensors      the best epoch's weights with the model card
//   fold_K/last/state.safetensors  full state for exact resume
//   fold_K/last/previous.safetensors  the state before that, until the fold is done
//   fold_K/result.json, fold_K/predictions.csv   written when the fold is done
//   fold_K/steps.csv   with --log-steps
//   fold_K/metrics.jsonl, fold_K/run.lock   while a rank trains it by itself (--spread folds)
//   predictions.csv, summary.json, per_class.csv, confusion_matrix.csv    of all folds
//   report.html        a page to look at: while it trains its curves, at its end everything
//   labels.html, suspects.csv    with --find-labels: labels that are probably wrong
//   tensorboard/fold_K/events.out.tfevents.hanok    with --tensorboard
//   run.lock           while a process works in the folder (run_lock.h)
// Every file is whole or absent (TensorBoard's may end early), so a run killed at any moment can be
// resumed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::training {

class RunFolder {
 public:
  /// Throws UsageError if `path` already holds a run, or files that a run would overwrite.
  static void check_free(const std::string& path);
  /// Makes a new run folder. Throws as check_free. NewRun (new_run.h) is the careful way.
  static RunFolder create(const std::string& path);
  /// Throws UsageError if `path` holds no run; FormatError if something that a run writes is a link
  /// out of the folder there, so that reading and writing it would touch what was not named.
  static RunFolder open(const std::string& path);

  /// Names of what is in the folder and called as a run calls its files and folders.
  std::vector<std::string> own_files() const;
  /// True if a fold has saved something from which the run can be resumed.
  bool holds_checkpoint() const;

  /// Removes what a killed process left half-written of the run's files.
  void remove_leftovers() const;
  /// Removes a finished fold's state before the last one.
  void remove_previous(int k) const;

  const std::string& path() const { return path_; }
  std::string config() const { return path_ + "/config.toml"; }
  std::string environment() const { return path_ + "/environment.json"; }
  std::string folds() const { return path_ + "/folds.csv"; }
  std::string faces() const { return path_ + "/faces.csv"; }
  std::string unreadable() const { return path_ + "/unreadable.csv"; }
  std::string corrections() const { return path_ + "/corrections.csv"; }
  std::string predictions() const { return path_ + "/predictions.csv"; }
  std::string summary() const { return path_ + "/summary.json"; }
  std::string per_class() const { return path_ + "/per_class.csv"; }
  std::string confusion_matrix() const { return path_ + "/confusion_matrix.csv"; }
  std::string report() const { return path_ + "/report.html"; }
  std::string labels_page() const { return path_ + "/labels.html"; }
  std::string suspects() const { return path_ + "/suspects.csv"; }
  std::string tensorboard(int k) const { return path_ + "/tensorboard/fold_" + std::to_string(k); }
  std::string events(int k) const { return tensorboard(k) + "/events.out.tfevents.hanok"; }
  std::string metrics_jsonl() const { return path_ + "/metrics.jsonl"; }
  std::string metrics_csv() const { return path_ + "/metrics.csv"; }
  std::string conv2d_choices() const { return path_ + "/conv2d_choices.csv"; }
  std::string cudnn_plans() const { return path_ + "/cudnn_plans"; }
  std::string cudnn_plans_text() const { return path_ + "/cudnn_plans.txt"; }
  std::string profile() const { return path_ + "/profile"; }  // .json and .txt
  std::string fold(int k) const { return path_ + "/fold_" + std::to_string(k); }
  std::string best(int k) const { return fold(k) + "/best.safetensors"; }
  std::string last(int k) const { return fold(k) + "/last/state.safetensors"; }
  std::string previous(int k) const { return fold(k) + "/last/previous.safetensors"; }
  std::string fold_metrics(int k) const { return fold(k) + "/metrics.jsonl"; }
  std::string steps(int k) const { return fold(k) + "/steps.csv"; }
  std::string fold_result(int k) const { return fold(k) + "/result.json"; }
  std::string fold_predictions(int k) const { return fold(k) + "/predictions.csv"; }

 private:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Names of what a run writes (files, fold_K and cudnn_plans) that `folder` holds, which need not
/// be a whole run. Throws IoError if it cannot be read; empty if there is no such folder.
std::vector<std::string> run_files(const std::string& folder);

/// 12 of "fold_12"; empty for a name that no fold's folder has.
std::optional<int> fold_number(const std::string& name);

/// What one epoch of one fold measured.
struct EpochMetrics {
  int fold = 0;
  std::int64_t epoch = 0;  // 1 is the first
  std::int64_t step = 0;   // steps of this fold so far
  double loss = 0, accuracy = 0;
  double val_loss = 0, val_accuracy = 0, val_macro_f1 = 0;
  double learning_rate = 0;
  std::int64_t trainable_parameters = 0;
  double seconds = 0, images_per_second = 0;
  bool best = false;  // the monitored value's best so far
  /// Of the weights after this epoch and those before (weights_chain.h); empty in runs of versions
  /// that recorded none.
  std::string hash_chain{};
};

/// metrics.jsonl and metrics.csv, rewritten whole after each epoch; the lines of fold 0 come first.
class MetricsLog {
 public:
  /// The run's. Reads the existing lines; those of a fold that has a log of its own from there.
  /// Throws FormatError for a damaged file.
  explicit MetricsLog(const RunFolder& folder);
  /// The lines of one fold alone, in fold_K/metrics.jsonl, so that several processes train folds
  /// of one run. Begins with what is known of the fold.
  static MetricsLog of_fold(const RunFolder& folder, int fold);

  void append(const EpochMetrics& metrics);
  /// Forgets the epochs of `fold` from `first_epoch` on: they come after the checkpoint.
  void drop_from(int fold, std::int64_t first_epoch);
  /// The run's log reads the folds' own logs anew, and is written if one has changed. True if so.
  bool gather();
  /// gather(), and removes the folds' own logs, to which nobody writes any more.
  void take_over();
  const std::vector<EpochMetrics>& lines() const { return lines_; }

 private:
  MetricsLog(const RunFolder& folder, int fold);
  bool read_folds();
  void write() const;
  RunFolder folder_;
  std::optional<int> fold_{};  // of a log of one fold
  std::vector<EpochMetrics> lines_;
  std::map<int, std::string> gathered_{};  // what the folds' own logs held
};

}  // namespace hanok::training
#pragma GCC visibility pop
