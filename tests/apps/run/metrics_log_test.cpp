// metrics.jsonl of a run whose folds have logs of their own for a while.
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "hanok/apps/run/run_folder.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using training::EpochMetrics;
using training::MetricsLog;
using training::RunFolder;

EpochMetrics epoch(int fold, std::int64_t number, double loss = 1) {
  return {.fold = fold, .epoch = number, .loss = loss};
}

/// Fold and epoch of each line.
std::vector<std::pair<int, std::int64_t>> lines_in(const MetricsLog& log) {
  std::vector<std::pair<int, std::int64_t>> lines;
  for (const EpochMetrics& m : log.lines()) lines.emplace_back(m.fold, m.epoch);
  return lines;
}
using Lines = std::vector<std::pair<int, std::int64_t>>;

class Metrics : public ::testing::Test {
 protected:
  TemporaryFolder out_;
  RunFolder folder_ = RunFolder::create(out_ / "run");
};

TEST_F(Metrics, OfAFoldBeginWithWhatTheRunKnowsOfIt) {
  MetricsLog run(folder_);
  for (const EpochMetrics& m : {epoch(0, 1), epoch(1, 1), epoch(1, 2)}) run.append(m);
  MetricsLog own = MetricsLog::of_fold(folder_, 1);
  EXPECT_EQ(lines_in(own), (Lines{{1, 1}, {1, 2}}));
  own.drop_from(1, 2);
  own.append(epoch(1, 2, 0.5));
  EXPECT_EQ(MetricsLog::of_fold(folder_, 1).lines().at(1).loss, 0.5);
  EXPECT_EQ(run.lines().at(2).loss, 1);  // until it looks
  EXPECT_TRUE(run.gather());
  EXPECT_EQ(lines_in(run), (Lines{{0, 1}, {1, 1}, {1, 2}}));
  EXPECT_EQ(run.lines().at(2).loss, 0.5);
  EXPECT_FALSE(run.gather());
}

TEST_F(Metrics, LieInTheRunsFileInOrderOfFolds) {
  MetricsLog run(folder_);
  MetricsLog two = MetricsLog::of_fold(folder_, 2);
  MetricsLog zero = MetricsLog::of_fold(folder_, 0);
  two.append(epoch(2, 1));
  zero.append(epoch(0, 1));
  two.append(epoch(2, 2));
  zero.append(epoch(0, 2));
  EXPECT_EQ(lines_in(MetricsLog(folder_)), (Lines{{0, 1}, {0, 2}, {2, 1}, {2, 2}}));
  run.take_over();
  EXPECT_FALSE(std::filesystem::exists(folder_.fold_metrics(0)));
  EXPECT_FALSE(std::filesystem::exists(folder_.fold_metrics(2)));
  run.append(epoch(1, 1));  // a fold that a process alone trains later
  EXPECT_EQ(lines_in(MetricsLog(folder_)), (Lines{{0, 1}, {0, 2}, {1, 1}, {2, 1}, {2, 2}}));
  EXPECT_EQ(lines_of(read_text(folder_.metrics_csv())).size(), 6U);
}

TEST_F(Metrics, OfAFoldThatLostAllItsEpochsAreForgotten) {
  MetricsLog run(folder_);
  run.append(epoch(0, 1));
  run.append(epoch(1, 1));
  MetricsLog::of_fold(folder_, 1).drop_from(1, 1);
  run.take_over();
  EXPECT_EQ(lines_in(MetricsLog(folder_)), (Lines{{0, 1}}));
}

}  // namespace
}  // namespace hanok::test
