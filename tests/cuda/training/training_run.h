// A fine-tuning run in this process, on the stand-in's device.
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/apps/program.h"
#include "tests/cuda/standin/control.h"

namespace hanok::test {

struct TrainingRun {
  std::string folder, output;
  nlohmann::json summary;
  standin::Counters counters;  // of the run

  /// Loss and gradient norm of each step, as text.
  std::string steps() const { return read_text(folder + "/fold_0/steps.csv"); }
  std::vector<double> losses() const;
  /// What --cuda-graph reports.
  std::string graph() const { return summary.at("folds").at(0).value("cuda_graph", ""); }
  std::string last_hash() const { return summary.at("last_weights_hash"); }
};

/// Coloured images of three classes, a hold-out of a quarter, no augmentation by default.
class TrainingOnStandin : public ::testing::Test {
 protected:
  void SetUp() override { draw_photos(folder_ / "photos"); }
  void TearDown() override {
    standin::set_settings(standin::Settings());
    EXPECT_EQ(standin::damaged_guards(), "");
  }

  /// Trains with options as on the command line, or resumes a run.
  TrainingRun train(const std::vector<std::string>& arguments);

  TemporaryFolder folder_;

 private:
  int runs_ = 0;
};

}  // namespace hanok::test
