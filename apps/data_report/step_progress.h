// The progress of a computation that reports its steps one by one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "hanok/apps/cli/progress.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// Shown as long as this object lives, if there is a reporter.
class StepProgress {
 public:
  StepProgress(training::Reporter* reporter, training::Progress::Loop loop) {
    if (reporter == nullptr) return;
    progress_ = std::make_unique<training::Progress>(*reporter, std::move(loop));
  }
  /// To be called after each step, by one thread at a time; empty without a reporter.
  std::function<void()> on_step() const {
    if (progress_ == nullptr) return {};
    return [this] { progress_->advance(1); };
  }

 private:
  std::unique_ptr<training::Progress> progress_;
};

}  // namespace hanok::data_report
#pragma GCC visibility pop
