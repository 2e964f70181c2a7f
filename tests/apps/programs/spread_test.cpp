// --spread folds: each rank trains folds of its own, and the run is that of one process.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <sys/types.h>
#include <thread>
#include <utility>
#include <vector>

#include "tests/apps/program.h"
#include "tests/support/mpirun.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;
namespace fs = std::filesystem;

class Spread : public ::testing::Test {
 protected:
  void SetUp() override {
    mpirun_ = mpirun_path();
    if (mpirun_.empty()) GTEST_SKIP() << kNoMpi;
    allow_mpirun();
    draw_photos(folder_ / "photos");
  }

  /// `more` replaces options of the same name.
  Arguments command(const std::string& out, const Arguments& more = {}) const {
    const Arguments base = {"--data",       folder_ / "photos",
                            "--weights",    "none",
                            "--model",      "lenet",
                            "--folds",      "3",
                            "--epochs",     "3",
                            "--image-size", "32",
                            "--threads",    "1",
                            "--batch-size", "4",
                            "--workers",    "1",
                            "--augment",    "light"};
    Arguments arguments = {"--out", folder_ / out};
    for (std::size_t i = 0; i < base.size(); i += 2) {
      if (std::find(more.begin(), more.end(), base[i]) != more.end()) continue;
      arguments = arguments + Arguments{base[i], base[i + 1]};
    }
    return arguments + more;
  }
  Arguments spread(int ranks, const Arguments& arguments) const {
    return ranked(ranks, "finetune", arguments + Arguments{"--spread", "folds"});
  }
  Outcome on_ranks(int ranks, const Arguments& arguments) const {
    return run_program(mpirun_, spread(ranks, arguments));
  }

  /// What must be equal to the last bit; `folds` of them.
  void expect_same(const std::string& one, const std::string& other, int folds) const {
    const std::string a = folder_ / one;
    const std::string b = folder_ / other;
    EXPECT_EQ(read_text(a + "/predictions.csv"), read_text(b + "/predictions.csv"));
    EXPECT_EQ(read_text(a + "/confusion_matrix.csv"), read_text(b + "/confusion_matrix.csv"));
    EXPECT_EQ(epochs(a), epochs(b));
    EXPECT_EQ(scores(a), scores(b));
    for (int fold = 0; fold < folds; ++fold) {
      const std::string name = fmt::format("/fold_{}/best.safetensors", fold);
      EXPECT_EQ(read_text(a + name), read_text(b + name)) << name;
    }
    // Nothing is left that a run of one process has not, but for the ranks' logs.
    EXPECT_EQ(files_in(a), files_in(b));
  }
  static std::vector<Arguments> epochs(const std::string& run) {
    std::vector<Arguments> rows = read_plain_csv(run + "/metrics.csv");
    for (Arguments& row : rows) row.erase(row.begin() + 10, row.begin() + 12);  // times
    return rows;
  }
  /// summary.json without times and memory.
  static nlohmann::json scores(const std::string& run) {
    nlohmann::json summary = read_json(run + "/summary.json");
    const auto drop_costs = [](nlohmann::json& part) {
      for (const char* key :
           {"seconds", "training_seconds", "images_per_second", "peak_memory_bytes"}) {
        part.erase(key);
      }
    };
    drop_costs(summary);
    for (nlohmann::json& fold : summary.at("folds")) drop_costs(fold);
    return summary;
  }
  static std::vector<std::string> files_in(const std::string& run) {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(run)) {
      const std::string name = fs::relative(entry.path(), run).string();
      if (name.rfind("ranks", 0) != 0) files.push_back(name);
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  /// The processes of a run, by their command lines: all of them, or that of one rank.
  std::vector<pid_t> processes(const std::string& out, int rank = -1) const {
    std::vector<pid_t> found;
    const std::string wanted = fmt::format("OMPI_COMM_WORLD_RANK={}", rank);
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      try {
        const std::string line = read_text(entry.path().string() + "/cmdline");
        if (line.find(folder_ / out) == std::string::npos) continue;
        const std::string environment = read_text(entry.path().string() + "/environ");
        if (environment.find("OMPI_COMM_WORLD_RANK=") == std::string::npos) continue;  // mpirun
        if (rank >= 0 && environment.find(wanted) == std::string::npos) continue;
        found.push_back(std::stoi(name));
      } catch (const std::runtime_error&) {  // it has ended
      }
    }
    return found;
  }
  void send(const std::string& out, int rank, int signal_number) const {
    for (const pid_t process : processes(out, rank)) kill(process, signal_number);
  }

  TemporaryFolder folder_;
  std::string mpirun_;
};

TEST_F(Spread, FoldsAndRepeatsHaveTheBitsOfOneProcess) {
  const Arguments recipe = {"--repeats", "2", "--baselines", "--log-steps", "2", "--ema", "0.9"};
  ASSERT_EQ(finetune(command("one", recipe)).exit_code, 0);
  for (const int ranks : {2, 3}) {
    const std::string out = fmt::format("on{}", ranks);
    const Outcome outcome = on_ranks(ranks, command(out, recipe));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    expect_same("one", out, 6);
    for (int fold = 0; fold < 6; ++fold) {
      const std::string steps = fmt::format("/fold_{}/steps.csv", fold);
      EXPECT_EQ(read_text((folder_ / "one") + steps), read_text((folder_ / out) + steps));
    }
    // Every rank has trained, and reported on other folds than the first one.
    EXPECT_THAT(outcome.output, HasSubstr("fold 0  epoch 1/3"));
    for (int rank = 1; rank < ranks; ++rank) {
      const std::string log = read_text(folder_ / fmt::format("{}/ranks/{}.log", out, rank));
      EXPECT_THAT(log, HasSubstr("epoch 3/3"));
      EXPECT_THAT(log, ::testing::Not(HasSubstr("fold 0  epoch")));
    }
  }
}

TEST_F(Spread, WorksWithWhatOneProcessAloneCanDo) {
  const Arguments recipe = {"--cache-features",   "yes",           "--model",
                            "mobilenet_v3_small", "--mode",        "feature-extraction",
                            "--augment",          "none",          "--profile",
                            "--tensorboard",      "--find-labels", "--autotune"};
  const Outcome outcome = on_ranks(2, command("run", recipe));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  for (const char* file : {"profile.json", "labels.html", "conv2d_choices.csv", "report.html"}) {
    EXPECT_TRUE(fs::exists(folder_ / (std::string("run/") + file))) << file;
  }
  for (int fold = 0; fold < 3; ++fold) {
    EXPECT_TRUE(fs::exists(folder_ /
                           fmt::format("run/tensorboard/fold_{}/events.out.tfevents.hanok", fold)));
  }
}

TEST_F(Spread, ChoosesOneBatchSizeForAll) {
  const Outcome outcome = on_ranks(2, command("run", {"--batch-size", "auto", "--max-steps", "2"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(Spread, GoesOnAfterKillsWithAnyNumberOfRanks) {
  const Arguments recipe = {"--epochs", "12", "--patience", "0"};
  ASSERT_EQ(finetune(command("one", recipe)).exit_code, 0);
  std::mt19937 random(17);
  for (int attempt = 0; attempt < 4; ++attempt) {
    const std::string out = fmt::format("killed{}", attempt);
    Arguments next = spread(2, command(out, recipe));
    for (int kills = 0; kills < 2; ++kills) {
      Process job(mpirun_, next);
      if (!job.wait_for_output("val loss")) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
      const int victim = static_cast<int>(random() % 3) - 1;  // -1: all ranks
      send(out, victim, SIGKILL);
      const Outcome outcome = job.wait();
      EXPECT_NE(outcome.exit_code, 3) << outcome.output;
      next = ranked(2, "finetune", {"--resume", folder_ / out});
    }
    const Arguments resume = {"--resume", folder_ / out};
    const Outcome resumed =
        attempt % 2 == 0 ? finetune(resume) : run_program(mpirun_, ranked(3, "finetune", resume));
    ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    expect_same("one", out, 3);
  }
}

TEST_F(Spread, AnInterruptOfOneRankSavesOnAll) {
  const Arguments recipe = {"--repeats", "4", "--max-steps", "40"};
  ASSERT_EQ(finetune(command("one", recipe)).exit_code, 0);
  for (const int rank : {0, 1}) {
    const std::string out = fmt::format("run{}", rank);
    Process job(mpirun_, spread(2, command(out, recipe)));
    ASSERT_TRUE(job.wait_for_output("val loss"));
    send(out, rank, SIGTERM);
    const Outcome outcome = job.wait();
    EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("interrupted; saved. Resume with"));
    EXPECT_TRUE(processes(out).empty());
    const Outcome resumed = finetune({"--resume", folder_ / out});
    ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    expect_same("one", out, 12);
  }
}

TEST_F(Spread, TakesOverARunOfOneProcess) {
  const Arguments recipe = {"--repeats", "4", "--max-steps", "40"};
  ASSERT_EQ(finetune(command("one", recipe)).exit_code, 0);
  Process alone("finetune", command("run", recipe));
  ASSERT_TRUE(alone.wait_for_output("val loss", 4));
  alone.send(SIGKILL);
  alone.wait();
  const Outcome resumed = on_ranks(2, {"--resume", folder_ / "run"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
  expect_same("one", "run", 12);
}

TEST_F(Spread, RefusesWhatItCannotDoByName) {
  const std::vector<std::pair<Arguments, std::string>> refusals = {
      {{"--slices", "2"}, "--slices: not with --spread folds"},
      {{"--local-batch-norm"}, "--local-batch-norm: not with --spread folds"},
  };
  for (const auto& [options, text] : refusals) {
    const Outcome outcome = on_ranks(2, command("refused", options));
    EXPECT_EQ(outcome.exit_code, 2) << text;
    EXPECT_THAT(outcome.output, HasSubstr(text));
    EXPECT_FALSE(fs::exists(folder_ / "refused"));
  }
  ASSERT_EQ(finetune(command("run", {"--spread", "folds", "--max-steps", "1"})).exit_code, 0);
  const Outcome outcome = finetune({"--resume", folder_ / "run", "--spread", "batches"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("--spread batches: the run was started with --spread"));
}

}  // namespace
}  // namespace hanok::test
