// Whether the folds of a run overfit or underfit, from their curves: rules, and a sentence with the
// numbers that they looked at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/run/run_folder.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

enum class Fit {
  Unknown,        // too few epochs, or losses that are no numbers
  Overfitting,    // the training loss fell on while the validation loss rose
  Memorising,     // far better on the training images than on others, from the start of judging on
  StillLearning,  // the validation loss was still falling when training ended
  Underfitting,   // both losses stayed near that of guessing
  Fine
};

/// The thresholds of the rules, all relative unless they say otherwise.
struct FitRules {
  std::int64_t least_epochs = 3;  // fewer are not judged
  double rise = 0.05;             // of the validation loss above its lowest: overfitting
  double training_fall = 0.05;    // of the training loss in the same epochs
  double still_falling = 0.02;    // of the validation loss over the last two epochs
  double near_guessing = 0.7;     // of the loss of guessing: above it a loss is high
  double accuracy_gap = 0.15;     // training accuracy minus validation accuracy, absolute
};

/// What the rules found in one fold, and what they looked at. Epochs count from 1.
struct FoldFit {
  Fit fit = Fit::Unknown;
  std::int64_t epochs = 0;
  std::int64_t lowest_epoch = 0;  // of the lowest validation loss
  double lowest_val_loss = 0;
  double loss_at_lowest = 0;                // of training, in that epoch
  double last_loss = 0, last_val_loss = 0;  // of the last epoch
  double earlier_val_loss = 0;              // two epochs before the last
  double accuracy = 0, val_accuracy = 0;    // in the epoch whose weights are kept
  std::int64_t kept_epoch = 0;
};

/// Judges the epochs of one fold, in order. `guessing_loss` is the cross entropy of answering each
/// class with its share of the images. The first rule that holds, of
///   Overfitting    since the lowest validation loss it has risen by `rise`, and the training loss
///                  has fallen by `training_fall`
///   StillLearning  the last epoch has the lowest validation loss, which fell by `still_falling`
///                  over the last two epochs
///   Underfitting   at the end both losses are above `near_guessing` x guessing_loss
///   Memorising     the accuracies of the kept epoch differ by `accuracy_gap`
/// and else Fine. Levels of the two losses are never compared with each other: augmentation, focal
/// loss and label smoothing raise or lower the training loss alone.
FoldFit judge_fold(const std::vector<training::EpochMetrics>& epochs, double guessing_loss,
                   const FitRules& rules = {});

struct FitVerdict {
  Fit fit = Fit::Unknown;  // of most folds; of as many, the graver one: Unknown last
  std::string sentence{};  // with means over the folds of that verdict
};
FitVerdict judge_run(const std::vector<FoldFit>& folds);

/// Entropy of the classes' shares in nats: the least cross entropy of one answer for all images.
double guessing_loss(const std::vector<std::int64_t>& images_by_class);

}  // namespace hanok::run_report
#pragma GCC visibility pop
