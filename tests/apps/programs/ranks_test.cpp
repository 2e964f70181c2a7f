// finetune started several times by mpirun: the same results as one process, and the same errors.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

#include "hanok/weights/weights.h"
#include "tests/apps/program.h"
#include "tests/support/mpirun.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

/// `base` with `more`, whose values take the place of those in `base`.
Arguments merged(Arguments base, const Arguments& more) {
  for (std::size_t i = 0; i < more.size(); ++i) {
    const auto found = std::find(base.begin(), base.end(), more[i]);
    if (!more[i].starts_with("--") || found == base.end()) {
      base.push_back(more[i]);
    } else if (i + 1 < more.size()) {
      *(found + 1) = more[++i];
    }
  }
  return base;
}

/// Of a file that may be gone.
std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Ranks : public ::testing::Test {
 protected:
  void SetUp() override {
    mpirun_ = mpirun_path();
    if (mpirun_.empty()) GTEST_SKIP() << kNoMpi;
    allow_mpirun();
    draw_photos(folder_ / "photos");
  }

  Arguments command(const std::string& out, const Arguments& more = {}) const {
    return merged({"--data", folder_ / "photos", "--weights", "none", "--image-size", "32",
                   "--folds", "2", "--fold", "0", "--model", "lenet", "--batch-size", "8",
                   "--workers", "1", "--out", folder_ / out},
                  more);
  }
  Outcome on_ranks(int ranks, const Arguments& arguments) const {
    return run_program(mpirun_, ranked(ranks, "finetune", arguments));
  }
  /// A run that must end well.
  void train(int ranks, const std::string& out, const Arguments& more) const {
    const Arguments arguments = command(out, more);
    const Outcome outcome = ranks == 1 ? finetune(arguments) : on_ranks(ranks, arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  }
  std::string hash(const std::string& out) const {
    return read_json(folder_ / (out + "/summary.json")).at("last_weights_hash");
  }
  /// Weights, predictions, and what an epoch's line says but for times.
  void expect_same(const std::string& a, const std::string& b) const {
    EXPECT_EQ(hash(a), hash(b)) << a << " and " << b;
    EXPECT_EQ(read_text(folder_ / (a + "/predictions.csv")),
              read_text(folder_ / (b + "/predictions.csv")));
    EXPECT_EQ(epochs(a), epochs(b));
  }
  std::vector<Arguments> epochs(const std::string& out) const {
    std::vector<Arguments> rows = read_plain_csv(folder_ / (out + "/metrics.csv"));
    for (Arguments& row : rows) row.erase(row.begin() + 10, row.begin() + 12);
    return rows;
  }
  double distance(const std::string& a, const std::string& b) const {
    const auto weights_of = [this](const std::string& out) {
      return weights::load(folder_ / (out + "/fold_0/best.safetensors")).tensors;
    };
    const auto others = weights_of(b);
    double apart = 0;
    double norm = 0;
    for (const auto& [name, tensor] : weights_of(a)) {
      const std::vector<float> x = tensor.to_vector();
      const std::vector<float> y = others.at(name).to_vector();
      for (std::size_t i = 0; i < x.size(); ++i) {
        apart += std::pow(double{x[i]} - y[i], 2);
        norm += std::pow(double{x[i]}, 2);
      }
    }
    return std::sqrt(apart / norm);
  }

  TemporaryFolder folder_;
  std::string mpirun_;
};

TEST_F(Ranks, GiveTheSameBitsWhateverTheirNumber) {
  const Arguments recipe = {"--model", "resnet18", "--max-steps", "4", "--slices", "4"};
  train(1, "one", recipe);
  train(2, "two", recipe);
  train(4, "four", recipe);
  expect_same("one", "two");
  expect_same("one", "four");
}

struct Recipe {
  const char* name;
  Arguments options;
};
class RankedRecipes : public Ranks, public ::testing::WithParamInterface<Recipe> {};

TEST_P(RankedRecipes, GiveTheSameBitsOnTwoRanks) {
  const Arguments recipe = merged({"--max-steps", "5", "--slices", "2"}, GetParam().options);
  train(1, "one", recipe);
  train(2, "two", recipe);
  expect_same("one", "two");
}

// The training images are 18, so the last batch of an epoch has 2: some slices are empty.
INSTANTIATE_TEST_SUITE_P(
    Options, RankedRecipes,
    ::testing::Values(Recipe{"ShortBatchesAndEmptySlices", {"--slices", "8"}},
                      Recipe{"AverageAndMixup", {"--ema", "0.9", "--mixup", "0.4"}},
                      Recipe{"CutmixAndClipping", {"--cutmix", "1", "--clip-norm", "0.5"}},
                      Recipe{"Accumulation", {"--accumulate", "2"}},
                      Recipe{"FrozenLayers", {"--mode", "gradual", "--model", "mobilenet_v2"}},
                      Recipe{"DropoutAndRandomDepth", {"--model", "efficientnet_b0"}},
                      Recipe{"Integers", {"--precision", "int16", "--model", "resnet18"}},
                      Recipe{"BalancedClasses",
                             {"--sampler", "over", "--class-weights", "balanced"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(Ranks, GiveTheResultOfOneProcessToRounding) {
  // No kink (ReLU, max pooling) that rounding passes: gradients would jump, and trainings part.
  const Arguments recipe = {"--model",  "lenet", "--optimizer", "sgd", "--lr",       "0.003",
                            "--epochs", "20",    "--max-steps", "50",  "--patience", "0"};
  train(1, "one", recipe);
  for (const int ranks : {2, 4}) {
    const std::string out = fmt::format("on{}", ranks);
    train(ranks, out, recipe);
    EXPECT_LT(distance("one", out), 1e-4) << ranks << " ranks";
    const auto f1 = [this](const std::string& run) {
      return read_json(folder_ / (run + "/summary.json")).at("folds").at(0).at("macro_f1");
    };
    EXPECT_EQ(f1("one"), f1(out));
  }
}

TEST_F(Ranks, SynchroniseBatchNormUnlessToldOtherwise) {
  const Arguments recipe = {"--model", "resnet18", "--max-steps", "1", "--log-steps", "1"};
  const auto loss = [&](int ranks, const std::string& out, const Arguments& more) {
    train(ranks, out, recipe + more);
    return std::stod(read_plain_csv(folder_ / (out + "/fold_0/steps.csv")).at(1).at(2));
  };
  const double one = loss(1, "one", {});
  EXPECT_NEAR(loss(2, "two", {}), one, 1e-5);
  EXPECT_GT(std::abs(loss(2, "local", {"--local-batch-norm"}) - one), 1e-4);
}

TEST_F(Ranks, NameWhatDiffersBetweenThem) {
  const Arguments same = command("run");
  const Arguments other = command("run", {"--lr", "0.5"});
  Arguments both = ranked(1, "finetune", same);
  both.emplace_back(":");
  const Outcome options = run_program(mpirun_, both + ranked(1, "finetune", other));
  EXPECT_EQ(options.exit_code, 2) << options.output;
  EXPECT_THAT(options.output,
              HasSubstr("rank 1 has another option than rank 0 ('lr = 0.5' there, 'lr = 0.001' "
                        "here)"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));

  std::filesystem::copy(folder_ / "photos", folder_ / "copy",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder_ / "copy/class0/0.png");
  std::filesystem::remove(*std::filesystem::directory_iterator(folder_ / "copy/class1"));
  Arguments elsewhere = same;
  elsewhere[1] = folder_ / "copy";
  const Outcome data = run_program(mpirun_, both + ranked(1, "finetune", elsewhere));
  EXPECT_EQ(data.exit_code, 2) << data.output;
  EXPECT_THAT(data.output, HasSubstr("rank 1 has another data set than rank 0"));
}

TEST_F(Ranks, RefuseWhatTheyCannotDoByName) {
  const std::vector<std::pair<Arguments, std::string>> refusals = {
      {{"--batch-size", "auto"}, "--batch-size"},
      {{"--virtual-batch"}, "--virtual-batch: not with several processes"},
      {{"--noise-robust", "trim"}, "--noise-robust trim: not with several processes"},
      {{"--detect-anomaly"}, "--detect-anomaly: not with several processes"},
      {{"--cache-features", "yes"}, "--cache-features yes: not with several processes"},
      {{"--slices", "3"}, "--slices: 3 slices on 2 ranks"},
      {{"--slices", "4", "--local-batch-norm"}, "--local-batch-norm beside --slices"},
      {{"--dry-run"}, "--dry-run: runs in one process"},
  };
  for (const auto& [options, text] : refusals) {
    const Outcome outcome = on_ranks(2, command("refused", options));
    EXPECT_EQ(outcome.exit_code, 2) << text;
    EXPECT_THAT(outcome.output, HasSubstr(text));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "refused"));
  }
}

TEST_F(Ranks, AreRefusedWhereMpiDoesNotKnowThem) {
  setenv("PMIX_RANK", "0", 1);
  setenv("SLURM_STEP_NUM_TASKS", "3", 1);
  const Outcome outcome = finetune(command("alone"));
  unsetenv("PMIX_RANK");
  unsetenv("SLURM_STEP_NUM_TASKS");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("a launcher (PMIX_RANK) started 3 processes, and MPI "
                                        "knows 1 of them"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "alone"));
}

TEST_F(Ranks, AreRefusedByProgramsOfOneProcess) {
  const Outcome outcome = run_program(mpirun_, ranked(2, "predict", {"--help"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("predict runs in one process"));
}

TEST_F(Ranks, AStoppedOneIsNamedAndTheRunGoesOnWithAnotherNumber) {
  const Arguments recipe = {"--epochs", "40", "--slices", "4", "--patience", "0"};
  train(1, "unbroken", recipe);
  setenv("HANOK_RANK_SILENCE", "1.5", 1);
  Process job(mpirun_, ranked(2, "finetune", command("run", recipe)));
  ASSERT_TRUE(job.wait_for_output("epoch  2/40  loss"));
  // The process of rank 1, by what the system tells of its environment.
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string environment = content(entry.path() / "environ");
    const std::string command_line = content(entry.path() / "cmdline");
    if (command_line.find(folder_ / "run") == std::string::npos) continue;
    if (environment.find("OMPI_COMM_WORLD_RANK=1") == std::string::npos) continue;
    kill(std::stoi(entry.path().filename().string()), SIGSTOP);
  }
  const Outcome outcome = job.wait();
  unsetenv("HANOK_RANK_SILENCE");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("rank 1 has not answered for 1.5 s"));
  const Outcome resumed = on_ranks(4, {"--resume", folder_ / "run"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
  expect_same("unbroken", "run");
}

TEST_F(Ranks, AnErrorOfOneEndsAllWithOneMessage) {
  std::filesystem::remove_all(folder_ / "photos/class1");
  std::filesystem::remove_all(folder_ / "photos/class2");
  const Outcome outcome = on_ranks(2, command("run"));
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("finetune: rank 0: "));
  EXPECT_THAT(outcome.output, Not(HasSubstr("finetune: rank 1: ")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

}  // namespace
}  // namespace hanok::test
