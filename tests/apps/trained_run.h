// The fixture for programs that use a run: drawn photographs, and a small network trained on them.
#pragma once

#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/apps/program.h"

namespace hanok::test {

/// photos/ has 12 photographs of each of three classes; run/ is a run of two folds on them.
class TrainedRun : public ::testing::Test {
 protected:
  TrainedRun() {
    draw_photos(folder_ / "photos");
    train("run");
  }

  /// Trains a run of this name on the photographs.
  void train(const std::string& name, const std::vector<std::string>& split = {"--folds", "2"}) {
    const std::vector<std::string> common = {"--data",       folder_ / "photos",
                                             "--model",      "lenet",
                                             "--weights",    "none",
                                             "--image-size", "32",
                                             "--batch-size", "4",
                                             "--epochs",     "3",
                                             "--lr",         "0.003",
                                             "--augment",    "none",
                                             "--out",        folder_ / name};
    const Outcome outcome = finetune(common + split);
    if (outcome.exit_code != 0) throw std::runtime_error(outcome.output);
  }

  TemporaryFolder folder_;
};

}  // namespace hanok::test
