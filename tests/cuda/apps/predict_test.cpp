// predict, evaluate and inspect with --device cuda, end to end, compared with the CPU.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"
#include "tests/cuda/apps/machine.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;
using Table = std::vector<std::vector<std::string>>;

/// Logits of a small network: sums of at most 576 products of about 1, in a different order.
constexpr double kLogitTolerance = 1e-4;
constexpr double kProbabilityTolerance = 2e-5;

class PredictOnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("HANOK_HOME", (folder_ / "home").c_str(), 1);
    draw_photos(folder_ / "photos", {.classes = 3, .members = 7, .size = 40});
    // Two folds: an ensemble. Trained on the CPU, so that both devices have the same weights.
    const Outcome trained = run_program("finetune_emulated", {"--data",       folder_ / "photos",
                                                              "--model",      "resnet18",
                                                              "--weights",    "none",
                                                              "--image-size", "32",
                                                              "--epochs",     "1",
                                                              "--folds",      "2",
                                                              "--batch-size", "8",
                                                              "--device",     "cpu",
                                                              "--threads",    "1",
                                                              "--out",        folder_ / "run"});
    ASSERT_EQ(trained.exit_code, 0) << trained.output;
  }
  void TearDown() override { unsetenv("HANOK_HOME"); }

  /// The predictions of predict --run, in batches of 8 with a short last one.
  Table answers(const std::string& device, const Arguments& more) {
    const std::string out = folder_ / "answers.csv";
    const Outcome outcome =
        run_program("predict_emulated", Arguments{"--images", folder_ / "photos", "--out", out,
                                                  "--device", device, "--batch-size", "8",
                                                  "--threads", "1", "--probabilities", "--logits"} +
                                            more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return read_plain_csv(out);
  }

  /// Same rows and labels; numbers within the tolerances.
  static void expect_near(const Table& cuda, const Table& cpu) {
    ASSERT_EQ(cuda.size(), cpu.size());
    ASSERT_EQ(cuda[0], cpu[0]);
    double largest_logit = 0;
    for (std::size_t row = 1; row < cpu.size(); ++row) {
      for (std::size_t column = 0; column < cpu[0].size(); ++column) {
        const std::string& name = cpu[0][column];
        if (name == "path" || name == "label") {
          EXPECT_EQ(cuda[row][column], cpu[row][column]);
          continue;
        }
        const double expected = std::stod(cpu[row][column]);
        const bool logit = name.rfind("logit:", 0) == 0;
        if (logit) largest_logit = std::max(largest_logit, std::fabs(expected));
        EXPECT_NEAR(std::stod(cuda[row][column]), expected,
                    logit ? kLogitTolerance : kProbabilityTolerance)
            << name << " of " << cpu[row][0];
      }
    }
    EXPECT_GT(largest_logit, 100 * kLogitTolerance);
  }

  TemporaryFolder folder_;
};

TEST_F(PredictOnCuda, AnEnsembleAnswersAsOnTheCpu) {
  const Arguments ensemble{"--run", folder_ / "run"};
  const Table cpu = answers("cpu", ensemble);
  ASSERT_EQ(cpu.size(), 22U);
  const Table cuda = answers("cuda", ensemble);
  expect_near(cuda, cpu);
  // The same bits in any order of the streams.
  const Machine machine("seed=5");
  EXPECT_EQ(answers("cuda:0", ensemble), cuda);
}

TEST_F(PredictOnCuda, OneCheckpointWithoutNvidiasLibrariesAnswersAsOnTheCpu) {
  const Arguments checkpoint{"--checkpoint", folder_ / "run/fold_1/best.safetensors"};
  const Table cpu = answers("cpu", checkpoint);
  const Machine machine("cublas=0,cudnn=0");
  expect_near(answers("cuda", checkpoint), cpu);
}

TEST_F(PredictOnCuda, AListFromStandardInputIsAnswered) {
  write_text(folder_ / "list.txt", (folder_ / "photos/class1/photo03.png") + "\n" +
                                       (folder_ / "photos/class0/photo01.png") + "\n");
  const std::string command =
      "\"" + binary_dir() + "/bin/predict_emulated\" --device cuda --run \"" + (folder_ / "run") +
      "\" --images - --out \"" + (folder_ / "listed.csv") + "\" < \"" + (folder_ / "list.txt") +
      "\" > \"" + (folder_ / "said.txt") + "\" 2>&1";
  // NOLINTNEXTLINE(*-env33-c,concurrency-mt-unsafe): a redirection
  ASSERT_EQ(std::system(command.c_str()), 0) << read_text(folder_ / "said.txt");
  const Table table = read_plain_csv(folder_ / "listed.csv");
  ASSERT_EQ(table.size(), 3U);
  EXPECT_EQ(table[1][0], folder_ / "photos/class1/photo03.png");
  EXPECT_EQ(table[2][0], folder_ / "photos/class0/photo01.png");
}

TEST_F(PredictOnCuda, EvaluateMeasuresAsOnTheCpu) {
  const auto evaluate = [this](const std::string& device) {
    const std::string out = folder_ / (device + ".json");
    const Outcome outcome =
        run_program("evaluate_emulated", {"--run", folder_ / "run", "--data", folder_ / "photos",
                                          "--device", device, "--threads", "1", "--out", out});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return read_json(out);
  };
  const nlohmann::json cpu = evaluate("cpu");
  const nlohmann::json cuda = evaluate("cuda");
  EXPECT_EQ(cuda.at("confusion_matrix"), cpu.at("confusion_matrix"));
  EXPECT_NEAR(cuda.at("loss").get<double>(), cpu.at("loss").get<double>(), kProbabilityTolerance);
}

TEST_F(PredictOnCuda, SaysWhatIsMissing) {
  for (const BadMachine& bad : kBadMachines) {
    const Machine machine(bad.settings);
    const Arguments rest{"--run", folder_ / "run", "--device", bad.device};
    const Outcome predicted =
        run_program("predict_emulated",
                    rest + Arguments{"--images", folder_ / "photos", "--out", folder_ / "x.csv"});
    const Outcome evaluated =
        run_program("evaluate_emulated", rest + Arguments{"--data", folder_ / "photos"});
    for (const Outcome& outcome : {predicted, evaluated}) {
      EXPECT_EQ(outcome.exit_code, 1) << bad.settings << "\n" << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr(bad.found)) << bad.settings;
      EXPECT_THAT(outcome.output, HasSubstr(bad.needed)) << bad.settings;
    }
    const Outcome usage =
        run_program("predict_emulated", {"--run", folder_ / "run", "--device", "gpu", "--images",
                                         folder_ / "photos", "--out", folder_ / "x.csv"});
    EXPECT_EQ(usage.exit_code, 2) << usage.output;
    // If the device was not named explicitly, the CPU is used.
    if (std::string(bad.device) == "cuda") {
      EXPECT_EQ(run_program("predict_emulated", {"--run", folder_ / "run", "--images",
                                                 folder_ / "photos", "--out", folder_ / "x.csv"})
                    .exit_code,
                0);
    }
  }
}

TEST_F(PredictOnCuda, TooLittleMemoryIsAnErrorThatSaysSo) {
  const Machine machine("memory=40M");
  const Outcome outcome =
      run_program("predict_emulated", {"--run", folder_ / "run", "--images", folder_ / "photos",
                                       "--out", folder_ / "x.csv", "--device", "cuda"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("memory"));
}

}  // namespace
}  // namespace hanok::test
