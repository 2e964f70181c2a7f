// The fixture for options: a base command, and what its runs leave.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/apps/program.h"

namespace hanok::test {

using Arguments = std::vector<std::string>;

/// A finished run, as read from its folder.
struct FinishedRun {
  std::string folder;
  Outcome outcome;
  nlohmann::json summary;
  std::string config, folds;

  std::size_t epochs() const { return lines_of(read_text(folder + "/metrics.jsonl")).size(); }
  std::string last_hash() const { return summary.at("last_weights_hash").get<std::string>(); }
};

class Flags : public ::testing::Test {
 protected:
  Flags() {
    draw_photos(folder_ / "photos");
    base_ = {"--data",       folder_ / "photos",
             "--model",      "lenet",
             "--weights",    "none",
             "--image-size", "32",
             "--batch-size", "8",
             "--epochs",     "2",
             "--folds",      "2",
             "--fold",       "0",
             "--threads",    "1"};
  }

  /// The base command with some options replaced or added; `drop` names options to leave out.
  Arguments replaced(const Arguments& more, const std::set<std::string>& drop = {}) const {
    Arguments arguments;
    std::set<std::string> left_out = drop;
    for (const std::string& argument : more) {
      if (argument.rfind("--", 0) == 0) left_out.insert(argument);
    }
    for (std::size_t i = 0; i < base_.size(); i += 2) {
      if (left_out.count(base_[i]) == 0) arguments = arguments + Arguments{base_[i], base_[i + 1]};
    }
    return arguments + more;
  }

  /// A run that must succeed, with options as above.
  FinishedRun run(const Arguments& more, const std::set<std::string>& drop = {}) {
    FinishedRun run;
    run.folder = folder_ / ("run" + std::to_string(runs_++));
    run.outcome = finetune(replaced(more, drop) + Arguments{"--out", run.folder});
    EXPECT_EQ(run.outcome.exit_code, 0) << run.outcome.output;
    if (run.outcome.exit_code != 0) throw std::runtime_error("the run failed");
    run.summary = read_json(run.folder + "/summary.json");
    run.config = read_text(run.folder + "/config.toml");
    run.folds = read_text(run.folder + "/folds.csv");
    return run;
  }

  /// Both runs' configurations and weights differ.
  void expect_other_weights(const Arguments& a, const Arguments& b) {
    const FinishedRun first = run(a);
    const FinishedRun second = run(b);
    EXPECT_NE(first.config, second.config);
    EXPECT_NE(first.last_hash(), second.last_hash());
  }

  /// The configurations differ, the weights must not.
  void expect_same_weights(const Arguments& a, const Arguments& b) {
    const FinishedRun first = run(a);
    const FinishedRun second = run(b);
    EXPECT_NE(first.config, second.config);
    EXPECT_EQ(first.last_hash(), second.last_hash());
  }

  TemporaryFolder folder_;
  Arguments base_;
  int runs_ = 0;
};

}  // namespace hanok::test
