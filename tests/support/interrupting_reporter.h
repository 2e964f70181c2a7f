// A reporter that interrupts the code that speaks to it.
#pragma once

#include <csignal>
#include <string>
#include <utility>

#include "hanok/apps/cli/reporter.h"

namespace hanok::test {

/// Sends SIGINT as ctrl-C does, when the text is printed, or a progress of that label shown, for
/// the `count`th time. Call watch_for_interrupts() first.
class InterruptingReporter final : public training::Reporter {
 public:
  InterruptingReporter(std::string text, int count) : text_(std::move(text)), left_(count) {}
  void print(const std::string& text) override {
    if (text.find(text_) != std::string::npos && --left_ == 0) std::raise(SIGINT);
  }
  void show_progress(const training::ProgressState& state) override {
    if (state.label.find(text_) != std::string::npos && --left_ == 0) std::raise(SIGINT);
  }
  void clear_progress() override {}
  double progress_interval() const override { return 0; }

 private:
  std::string text_;
  int left_;
};

}  // namespace hanok::test
