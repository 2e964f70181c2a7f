// A broken run that goes on ends with the same bits as an unbroken one.
#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using Arguments = std::vector<std::string>;

class Resume : public ::testing::Test {
 protected:
  Resume() {
    PhotoOptions photos;
    photos.members = 30;
    draw_photos(folder_ / "photos", photos);
  }

  /// Long enough to be hit in the middle: 2 folds x 30 epochs x 15 steps.
  Arguments command(const std::string& out) const {
    return {"--data",       folder_ / "photos",
            "--model",      "lenet",
            "--weights",    "none",
            "--epochs",     "30",
            "--batch-size", "3",
            "--folds",      "2",
            "--mode",       "gradual",
            "--patience",   "0",
            "--threads",    "2",
            "--augment",    "light",
            "--image-size", "32",
            "--out",        out};
  }

  /// What must be equal to the last bit.
  static void expect_same_end(const std::string& a, const std::string& b) {
    const nlohmann::json first = read_json(a + "/summary.json");
    const nlohmann::json second = read_json(b + "/summary.json");
    for (const char* key :
         {"weights_hash", "last_weights_hash", "macro_f1", "best_epoch", "confusion_matrix"}) {
      EXPECT_EQ(first.at(key), second.at(key)) << key;
    }
    EXPECT_EQ(read_text(a + "/predictions.csv"), read_text(b + "/predictions.csv"));
    EXPECT_EQ(read_text(a + "/folds.csv"), read_text(b + "/folds.csv"));
    for (const char* file : {"/fold_0/best.safetensors", "/fold_1/best.safetensors"}) {
      EXPECT_EQ(read_text(a + file), read_text(b + file)) << file;
    }
    const std::vector<nlohmann::json> lines_a = metrics(a);
    const std::vector<nlohmann::json> lines_b = metrics(b);
    EXPECT_EQ(lines_a.size(), 60U);
    EXPECT_EQ(lines_a, lines_b);
  }

  /// metrics.jsonl without what a clock measured.
  static std::vector<nlohmann::json> metrics(const std::string& run) {
    std::vector<nlohmann::json> lines;
    for (const std::string& line : lines_of(read_text(run + "/metrics.jsonl"))) {
      nlohmann::json value = nlohmann::json::parse(line);
      value.erase("seconds");
      value.erase("images_per_second");
      lines.push_back(value);
    }
    return lines;
  }

  /// Starts, or goes on, and sends `signal_number` once `count` epoch lines are out.
  Outcome break_run(const Arguments& arguments, int signal_number, int count) {
    Process process("finetune", arguments);
    EXPECT_TRUE(process.wait_for_output("val loss", count));
    process.send(signal_number);
    return process.wait();
  }

  TemporaryFolder folder_;
};

TEST_F(Resume, AfterInterruptsEndsBitwiseEqual) {
  ASSERT_EQ(finetune(command(folder_ / "whole")).exit_code, 0);
  const std::string broken = folder_ / "broken";
  const Outcome first = break_run(command(broken), SIGINT, 2);
  EXPECT_EQ(first.exit_code, 3) << first.output;
  EXPECT_THAT(first.output, ::testing::HasSubstr("--resume " + broken));
  // The second break falls into the other fold.
  const Outcome second = break_run({"--resume", broken}, SIGTERM, 35);
  EXPECT_EQ(second.exit_code, 3) << second.output;
  const Outcome last = finetune({"--resume", broken, "--threads", "1", "--workers", "1"});
  ASSERT_EQ(last.exit_code, 0) << last.output;
  expect_same_end(folder_ / "whole", broken);
}

TEST_F(Resume, WithAveragesPartsSamplersAndMixingEndsBitwiseEqual) {
  const auto with_all = [this](const std::string& out) {
    return command(out) +
           Arguments{"--ema",    "0.9", "--accumulate", "2",     "--sampler",     "over",
                     "--mixup",  "0.3", "--clip-norm",  "1",     "--log-steps",   "7",
                     "--hidden", "12",  "--head-lr",    "0.002", "--unfreeze-at", "5=conv1"};
  };
  ASSERT_EQ(finetune(with_all(folder_ / "whole")).exit_code, 0);
  const std::string broken = folder_ / "broken";
  EXPECT_EQ(break_run(with_all(broken), SIGKILL, 3).exit_code, 128 + SIGKILL);
  EXPECT_EQ(break_run({"--resume", broken}, SIGINT, 4).exit_code, 3);
  EXPECT_EQ(break_run({"--resume", broken}, SIGKILL, 31).exit_code, 128 + SIGKILL);
  const Outcome last = finetune({"--resume", broken});
  ASSERT_EQ(last.exit_code, 0) << last.output;
  expect_same_end(folder_ / "whole", broken);
  for (const char* file : {"/fold_0/steps.csv", "/fold_1/steps.csv"}) {
    EXPECT_EQ(read_text((folder_ / "whole") + file), read_text(broken + file)) << file;
  }
}

TEST_F(Resume, AfterKillsEndsBitwiseEqual) {
  ASSERT_EQ(finetune(command(folder_ / "whole")).exit_code, 0);
  const std::string broken = folder_ / "broken";
  EXPECT_EQ(break_run(command(broken), SIGKILL, 3).exit_code, 128 + SIGKILL);
  EXPECT_EQ(break_run({"--resume", broken}, SIGKILL, 31).exit_code, 128 + SIGKILL);
  const Outcome last = finetune({"--resume", broken});
  ASSERT_EQ(last.exit_code, 0) << last.output;
  expect_same_end(folder_ / "whole", broken);
}

TEST_F(Resume, DropsMetricsThatComeAfterTheCheckpoint) {
  const std::string run = folder_ / "run";
  EXPECT_EQ(break_run(command(run), SIGINT, 2).exit_code, 3);
  // As if the process had died after writing an epoch's line and before its checkpoint.
  nlohmann::json ahead = nlohmann::json::parse(lines_of(read_text(run + "/metrics.jsonl")).back());
  ahead["epoch"] = 29;
  ahead["loss"] = 123;
  write_text(run + "/metrics.jsonl", read_text(run + "/metrics.jsonl") + ahead.dump() + "\n");
  ASSERT_EQ(finetune({"--resume", run}).exit_code, 0);
  EXPECT_THAT(read_text(run + "/metrics.jsonl"), ::testing::Not(::testing::HasSubstr("123.0")));
  EXPECT_EQ(metrics(run).size(), 60U);
}

TEST_F(Resume, OfAFinishedRunChangesNothing) {
  const std::string run = folder_ / "run";
  ASSERT_EQ(finetune(command(run) + Arguments{"--max-steps", "5"}).exit_code, 0);
  const std::string summary = read_text(run + "/summary.json");
  ASSERT_EQ(finetune({"--resume", run}).exit_code, 0);
  EXPECT_EQ(read_text(run + "/summary.json"), summary);
}

TEST_F(Resume, TakesNoOptionThatWouldChangeTheResult) {
  const std::string run = folder_ / "run";
  ASSERT_EQ(finetune(command(run) + Arguments{"--max-steps", "2"}).exit_code, 0);
  const Outcome outcome = finetune({"--resume", run, "--lr", "0.5"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("found --lr"));
  const Outcome free =
      finetune({"--resume", run, "--threads", "1", "--workers", "1", "--device", "cpu",
                "--cache-images", "no", "--image-budget", "1", "--cache-features", "no",
                "--cache-budget", "1", "--memory", "900M", "--profile"});
  EXPECT_EQ(free.exit_code, 0) << free.output;
  EXPECT_EQ(finetune({"--resume", folder_ / "photos"}).exit_code, 2);
}

TEST_F(Resume, LeavesNoTemporaryFilesBehind) {
  const std::string run = folder_ / "run";
  ASSERT_EQ(finetune(command(run) + Arguments{"--max-steps", "20"}).exit_code, 0);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run)) {
    if (entry.is_regular_file()) {
      files.push_back(std::filesystem::relative(entry.path(), run).string());
    }
  }
  EXPECT_THAT(
      files, ::testing::UnorderedElementsAre(
                 "config.toml", "environment.json", "folds.csv", "metrics.jsonl", "metrics.csv",
                 "predictions.csv", "summary.json", "report.html", "per_class.csv",
                 "confusion_matrix.csv", "fold_0/best.safetensors", "fold_0/last/state.safetensors",
                 "fold_0/result.json", "fold_0/predictions.csv", "fold_1/best.safetensors",
                 "fold_1/last/state.safetensors", "fold_1/result.json", "fold_1/predictions.csv"));
}

TEST(SameBits, ForOneAndTwoThreadsAfterTwentyStepsOfResnet18) {
  const TemporaryFolder folder;
  PhotoOptions photos;
  photos.members = 16;
  draw_photos(folder / "photos", photos);
  std::vector<std::string> hashes;
  for (const char* threads : {"1", "2"}) {
    const std::string out = folder / (std::string("run") + threads);
    const Outcome outcome = finetune({"--data",       folder / "photos",
                                      "--model",      "resnet18",
                                      "--weights",    "none",
                                      "--image-size", "32",
                                      "--batch-size", "8",
                                      "--folds",      "2",
                                      "--fold",       "0",
                                      "--max-steps",  "20",
                                      "--threads",    threads,
                                      "--out",        out});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_EQ(read_json(out + "/summary.json").at("folds")[0].at("steps"), 20);
    hashes.push_back(read_json(out + "/summary.json").at("last_weights_hash"));
    EXPECT_EQ(hashes.back().size(), 16U);
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace
}  // namespace hanok::test
