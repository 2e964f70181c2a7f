#include "hanok/apps/run_report/fit_verdict.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace hanok::run_report {
namespace {

using training::EpochMetrics;
constexpr double kClearRise =
    1.25;  // of the validation loss; below it a run only begins to overfit

double mean(const std::vector<FoldFit>& folds, double FoldFit::*value) {
  double sum = 0;
  for (const FoldFit& fold : folds) sum += fold.*value;
  return sum / static_cast<double>(folds.size());
}

/// "epoch 3", or "epochs 3 to 5" where the folds differ.
std::string epochs_text(const std::vector<FoldFit>& folds, std::int64_t FoldFit::*epoch) {
  std::int64_t low = folds.front().*epoch;
  std::int64_t high = low;
  for (const FoldFit& fold : folds) {
    low = std::min(low, fold.*epoch);
    high = std::max(high, fold.*epoch);
  }
  return low == high ? fmt::format("epoch {}", low) : fmt::format("epochs {} to {}", low, high);
}

/// "", or "in 3 of 5 folds " where not all folds agree.
std::string where_text(std::size_t agreeing, std::size_t all) {
  return agreeing == all ? "" : fmt::format(" in {} of {} folds", agreeing, all);
}

/// `folds` have this verdict; `where` says how many those are.
std::string sentence_of(Fit fit, const std::vector<FoldFit>& folds, const std::string& where) {
  switch (fit) {
    case Fit::Unknown:
      return fmt::format(
          "Over- and underfitting cannot be judged{}: that needs three epochs with finite losses.",
          where);
    case Fit::Overfitting: {
      const bool slightly = mean(folds, &FoldFit::last_val_loss) <
                            kClearRise * mean(folds, &FoldFit::lowest_val_loss);
      return fmt::format(
          "The run {}{}: after {} the training loss fell on from {:.3f} to {:.3f}, while the "
          "validation loss rose from {:.3f} to {:.3f}. The weights of {} are kept, so later epochs "
          "cost time only; stronger augmentation, fewer trained layers or more photographs help.",
          slightly ? "begins to overfit" : "overfits", where,
          epochs_text(folds, &FoldFit::lowest_epoch), mean(folds, &FoldFit::loss_at_lowest),
          mean(folds, &FoldFit::last_loss), mean(folds, &FoldFit::lowest_val_loss),
          mean(folds, &FoldFit::last_val_loss), epochs_text(folds, &FoldFit::kept_epoch));
    }
    case Fit::Memorising:
      return fmt::format(
          "The run overfits{}: accuracy is {:.3f} on the training images and {:.3f} on those held "
          "out, a gap of {:.3f}, though the validation loss does not rise ({:.3f} at its lowest, "
          "{:.3f} at the end). Stronger augmentation or more photographs help.",
          where, mean(folds, &FoldFit::accuracy), mean(folds, &FoldFit::val_accuracy),
          mean(folds, &FoldFit::accuracy) - mean(folds, &FoldFit::val_accuracy),
          mean(folds, &FoldFit::lowest_val_loss), mean(folds, &FoldFit::last_val_loss));
    case Fit::StillLearning:
      return fmt::format(
          "Training ended too early{}: the validation loss was still falling, from {:.3f} to "
          "{:.3f} over the last two epochs. More --epochs should help.",
          where, mean(folds, &FoldFit::earlier_val_loss), mean(folds, &FoldFit::last_val_loss));
    case Fit::Underfitting:
      return fmt::format(
          "The run underfits{}: the training loss ended at {:.3f} and the validation loss at "
          "{:.3f}, both near that of guessing. A higher --lr, more trained layers (--mode) or "
          "more epochs help; `finetune --check` tests whether the recipe can learn at all.",
          where, mean(folds, &FoldFit::last_loss), mean(folds, &FoldFit::last_val_loss));
    case Fit::Fine:
      return fmt::format(
          "The run neither over- nor underfits{}: the validation loss was lowest in {} "
          "({:.3f}) and ended at {:.3f}; accuracy is {:.3f} on the training images and {:.3f} on "
          "those held out.",
          where, epochs_text(folds, &FoldFit::lowest_epoch), mean(folds, &FoldFit::lowest_val_loss),
          mean(folds, &FoldFit::last_val_loss), mean(folds, &FoldFit::accuracy),
          mean(folds, &FoldFit::val_accuracy));
  }
  return "";
}

}  // namespace

FoldFit judge_fold(const std::vector<EpochMetrics>& epochs, double guessing_loss,
                   const FitRules& rules) {
  FoldFit out;
  out.epochs = static_cast<std::int64_t>(epochs.size());
  for (const EpochMetrics& epoch : epochs) {
    if (!std::isfinite(epoch.loss) || !std::isfinite(epoch.val_loss)) return out;
  }
  if (out.epochs < std::max<std::int64_t>(rules.least_epochs, 1)) return out;

  const auto lowest = std::min_element(
      epochs.begin(), epochs.end(),
      [](const EpochMetrics& a, const EpochMetrics& b) { return a.val_loss < b.val_loss; });
  const EpochMetrics& last = epochs.back();
  out.lowest_epoch = lowest->epoch;
  out.lowest_val_loss = lowest->val_loss;
  out.loss_at_lowest = lowest->loss;
  out.last_loss = last.loss;
  out.last_val_loss = last.val_loss;
  out.earlier_val_loss = epochs.size() >= 3 ? epochs[epochs.size() - 3].val_loss : last.val_loss;
  const EpochMetrics* kept = &last;
  for (const EpochMetrics& epoch : epochs) {
    if (epoch.best) kept = &epoch;
  }
  out.kept_epoch = kept->epoch;
  out.accuracy = kept->accuracy;
  out.val_accuracy = kept->val_accuracy;

  const double high = rules.near_guessing * guessing_loss;
  if (last.val_loss >= lowest->val_loss * (1 + rules.rise) &&
      last.loss <= lowest->loss * (1 - rules.training_fall)) {
    out.fit = Fit::Overfitting;
  } else if (lowest == epochs.end() - 1 &&
             last.val_loss <= out.earlier_val_loss * (1 - rules.still_falling)) {
    out.fit = Fit::StillLearning;
  } else if (last.loss > high && last.val_loss > high) {
    out.fit = Fit::Underfitting;
  } else if (out.accuracy - out.val_accuracy >= rules.accuracy_gap) {
    out.fit = Fit::Memorising;
  } else {
    out.fit = Fit::Fine;
  }
  return out;
}

FitVerdict judge_run(const std::vector<FoldFit>& folds) {
  FitVerdict out;
  std::vector<FoldFit> most;
  for (const Fit fit : {Fit::Overfitting, Fit::Memorising, Fit::StillLearning, Fit::Underfitting,
                        Fit::Fine, Fit::Unknown}) {
    std::vector<FoldFit> members;
    for (const FoldFit& fold : folds) {
      if (fold.fit == fit) members.push_back(fold);
    }
    if (members.size() <= most.size()) continue;
    most = members;
    out.fit = fit;
  }
  out.sentence = sentence_of(out.fit, most, where_text(most.size(), folds.size()));
  return out;
}

double guessing_loss(const std::vector<std::int64_t>& images_by_class) {
  double all = 0;
  for (const std::int64_t images : images_by_class) all += static_cast<double>(images);
  double loss = 0;
  for (const std::int64_t images : images_by_class) {
    if (images == 0) continue;
    const double share = static_cast<double>(images) / all;
    loss -= share * std::log(share);
  }
  return loss;
}

}  // namespace hanok::run_report
