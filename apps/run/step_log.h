// --log-steps: some steps of a fold, one line each, on the screen and in fold_K/steps.csv.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct StepMetrics {
  std::int64_t epoch = 0, step = 0;  // 1 is the first; steps count over the whole fold
  double loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
};

class StepLog {
 public:
  /// Prints each step; with `path` empty nothing is written. Reads the existing lines up to
  /// `last_step`: later ones come after the checkpoint and are recomputed.
  StepLog(Reporter& reporter, std::string path, std::int64_t last_step);
  void append(const StepMetrics& metrics);
  /// Writes the file whole, if there is anything new.
  void save();

 private:
  Reporter& reporter_;
  std::string path_;
  std::string text_;
  bool changed_ = false;
};

}  // namespace hanok::training
#pragma GCC visibility pop
