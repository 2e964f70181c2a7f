// inspect verify: epochs of a run are trained again and compared; what differs is found.
#include "hanok/apps/experiment/verify.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "hanok/apps/cli/errors.h"
#include "tests/apps/trained_run.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using training::VerifyOptions;

class Verify : public TrainedRun {
 protected:
  std::string run() const { return folder_ / "run"; }
  Outcome inspect(const std::vector<std::string>& more) const {
    return run_program("inspect", std::vector<std::string>{"verify", run()} + more);
  }
  /// Replaces a text in the metrics.
  void change_record(const std::string& from, const std::string& to) const {
    std::string text = read_text(run() + "/metrics.jsonl");
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_text(run() + "/metrics.jsonl", text.replace(at, from.size(), to));
  }
  std::string recorded_chain(std::size_t line) const {
    return nlohmann::json::parse(lines_of(read_text(run() + "/metrics.jsonl")).at(line))
        .at("hash_chain");
  }
};

TEST_F(Verify, RepeatsEpochsToTheSameBitsAndChangesNothing) {
  std::map<std::string, std::string> before;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run())) {
    if (entry.is_regular_file()) before[entry.path()] = read_text(entry.path());
  }
  const Outcome first = inspect({"--threads", "2"});
  EXPECT_EQ(first.exit_code, 0) << first.output;
  EXPECT_THAT(first.output,
              AllOf(HasSubstr("fold 0: repeating up to epoch 1 from the start weights"),
                    HasSubstr("fold 0, epoch 1: the same bits, hash chain " + recorded_chain(0))));
  const Outcome third = inspect({"--epoch", "3", "--fold", "1"});
  EXPECT_EQ(third.exit_code, 0) << third.output;
  EXPECT_THAT(third.output,
              AllOf(HasSubstr("fold 1, epoch 1: the same bits"),
                    HasSubstr("fold 1, epoch 3: the same bits, hash chain " + recorded_chain(5))));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(before[entry.path()], read_text(entry.path())) << entry.path();
  }
}

TEST_F(Verify, StartsFromTheCheckpointAtHand) {
  // As in a run that was stopped: a state from before the last epoch is still there.
  std::filesystem::remove_all(run());
  train("run", {"--folds", "2", "--scheduler", "constant"});
  train("short", {"--folds", "2", "--scheduler", "constant", "--max-steps", "10"});
  std::filesystem::copy_file(folder_ / "short/fold_0/last/state.safetensors",
                             run() + "/fold_0/last/previous.safetensors");
  const Outcome outcome = inspect({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("previous.safetensors"), HasSubstr("the same bits"),
                                    Not(HasSubstr("epoch 1: the same bits"))));
}

TEST_F(Verify, NamesTheFirstEpochThatDiffers) {
  change_record(recorded_chain(1), "0123456789abcdef");
  const Outcome outcome = inspect({"--epoch", "3"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("fold 0, epoch 1: the same bits"),
                    HasSubstr("fold 0, epoch 2: differs: hash chain "),
                    HasSubstr("0123456789abcdef recorded"), Not(HasSubstr("epoch 3: ")),
                    HasSubstr("this machine repeats itself: ")));
}

TEST_F(Verify, FindsOtherKernelsByTheirResults) {
  ::setenv("HANOK_ISA", "portable", 1);
  const Outcome outcome = inspect({});
  ::unsetenv("HANOK_ISA");
  if (outcome.exit_code == 0) GTEST_SKIP() << "the run was made with the portable kernels, too";
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("epoch 1: differs: "), HasSubstr("kernels: "),
                    HasSubstr("before, portable now"), HasSubstr("this machine repeats itself")));
}

TEST_F(Verify, WithLoggedStepsNamesTheStep) {
  std::filesystem::remove_all(run());
  train("run", {"--folds", "2", "--log-steps", "1"});
  EXPECT_EQ(inspect({}).exit_code, 0);
  std::string steps = read_text(run() + "/fold_0/steps.csv");
  const std::size_t third = steps.find("\n1,3,");
  ASSERT_NE(third, std::string::npos);
  steps.insert(third + 5, "1");
  write_text(run() + "/fold_0/steps.csv", steps);
  change_record(recorded_chain(0), "0123456789abcdef");
  const Outcome outcome = inspect({});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("step 3 is the first logged one that differs"));
}

TEST_F(Verify, OfAnOlderVersionComparesLossesAndScores) {
  for (const std::size_t line : {0, 1, 2, 3, 4, 5}) {
    change_record(",\"hash_chain\":\"" + recorded_chain(line) + "\"", std::string());
  }
  const Outcome outcome = inspect({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no hash chain was recorded"));
}

TEST_F(Verify, RefusesWhatIsNotRecorded) {
  EXPECT_EQ(run_program("inspect", {"verify", folder_ / "photos"}).exit_code, 2);
  const Outcome epoch = inspect({"--epoch", "9"});
  EXPECT_EQ(epoch.exit_code, 2);
  EXPECT_THAT(epoch.output, HasSubstr("--epoch: fold 0 has recorded epochs 1 to 3, got 9"));
  const Outcome fold = inspect({"--fold", "5"});
  EXPECT_EQ(fold.exit_code, 2);
  EXPECT_THAT(fold.output, HasSubstr("--fold: "));
}

TEST_F(Verify, AResumeWithOtherKernelsWarns) {
  const auto environment = read_json(run() + "/environment.json");
  ASSERT_EQ(environment.at("environments").size(), 1U);
  const std::string kernels = environment.at("environments")[0].at("kernels");
  if (kernels == "portable") GTEST_SKIP() << "this CPU has no other kernels";
  // As if the second fold had not been trained yet.
  std::filesystem::remove_all(run() + "/fold_1");
  EXPECT_THAT(finetune({"--resume", run(), "--threads", "2"}).output, Not(HasSubstr("kernels: ")));
  std::filesystem::remove_all(run() + "/fold_1");
  ::setenv("HANOK_ISA", "portable", 1);
  const Outcome outcome = finetune({"--resume", run()});
  ::unsetenv("HANOK_ISA");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("warning: kernels: " + kernels + " before, portable now"));
  EXPECT_EQ(read_json(run() + "/environment.json").at("environments").size(), 2U);
}

}  // namespace
}  // namespace hanok::test
