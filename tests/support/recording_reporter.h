// A reporter that keeps what library code says.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"

namespace hanok::test {

class RecordingReporter final : public training::Reporter {
 public:
  void print(const std::string& new_text) override { text += new_text; }
  void show_progress(const training::ProgressState& state) override { progress.push_back(state); }
  void clear_progress() override {}
  training::TextColors colors() const override { return shown_colors; }
  double progress_interval() const override { return 0; }  // every call is kept

  std::string text;
  training::TextColors shown_colors = training::TextColors::None;
  std::vector<training::ProgressState> progress;
};

}  // namespace hanok::test
