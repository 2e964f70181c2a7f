// bench_precision as a user runs it, on tiny photographs.
#include <cmath>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/engine/generator.h"
#include "hanok/weights/weights.h"
#include "tests/apps/program.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;

class BenchPrecision : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(binary_dir() + "/bin/bench_precision")) {
      GTEST_SKIP() << "bench_precision is not built (HANOK_BUILD_BENCH)";
    }
  }

  nlohmann::json measure(const std::vector<std::string>& arguments) {
    const std::string file = folder_ / "errors.json";
    const Outcome outcome =
        run_program("bench_precision", arguments + std::vector<std::string>{"--json", file});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    printed_ = outcome.output;
    return read_json(file);
  }

  TemporaryFolder folder_;
  std::string printed_;
};

// The reference in double agrees with the engine's f32, so both are right; integers come closer to
// it than operands in bf16.
void expect_errors_in_order(const nlohmann::json& convolutions) {
  int integers = 0;
  for (const nlohmann::json& row : convolutions) {
    EXPECT_LT(row["f32"]["rms"], 1e-5) << row;
    EXPECT_GT(row["bf16"]["rms"], 1e-3) << row;
    EXPECT_LT(row["bf16"]["rms"], 6e-3) << row;
    EXPECT_LE(row["int16"]["rms"], row["bf16"]["rms"]) << row;
    EXPECT_GT(row["bf16"]["max"], row["bf16"]["rms"]) << row;
    integers += row["integers"].get<bool>() ? 1 : 0;
  }
  EXPECT_GT(integers, 0);
}

TEST_F(BenchPrecision, MeasuresEveryConvolutionOfAStep) {
  const std::string photos = draw_photos(folder_ / "photos");
  const nlohmann::json rows =
      measure({"layers", "--model", "resnet18", "--weights", "none", "--data", photos,
               "--image-size", "64", "--batch-size", "3"})["convolutions"];
  // 20 convolutions; the photographs themselves need no gradient.
  EXPECT_EQ(rows.size(), 20U + 19U + 20U);
  expect_errors_in_order(rows);
  EXPECT_EQ(rows[1]["name"], "layer1.0.conv1");
  EXPECT_THAT(printed_, HasSubstr("| layer1.0.conv1 | forward | 64-64 3x3, 16x16 |"));
  EXPECT_THAT(printed_, HasSubstr("- forward: "));
}

TEST_F(BenchPrecision, MeasuresTheGradientsOfAStep) {
  const std::string photos = draw_photos(folder_ / "photos");
  const nlohmann::json gradients =
      measure({"gradients", "--model", "resnet18", "--weights", "none", "--data", photos,
               "--image-size", "64", "--batch-size", "8"})["gradients"];
  EXPECT_EQ(gradients["numbers"], 11178051);  // of a ResNet18 with three classes
  EXPECT_GT(gradients["error"]["rms"], 1e-3);
  EXPECT_LT(gradients["error"]["rms"], 1);
  EXPECT_THAT(printed_, HasSubstr("Gradients of 11178051 numbers, int16 against f32: "));
}

TEST_F(BenchPrecision, MeasuresDrawnOperands) {
  const nlohmann::json rows =
      measure({"synthetic", "--batch-size", "1", "--largest-channels", "64"})["convolutions"];
  EXPECT_EQ(rows.size(), 2U * 5U * 3U);  // stem and layer1, distributions, passes
  for (const nlohmann::json& row : rows) EXPECT_FALSE(row["int16"]["rms"].is_null()) << row;
}

TEST_F(BenchPrecision, ComparesAndWritesLogits) {
  const std::string photos = draw_photos(folder_ / "photos");
  const Outcome trained =
      finetune({"--data", photos, "--out", folder_ / "run", "--model", "resnet18", "--weights",
                "none", "--image-size", "32", "--max-steps", "2", "--folds", "2", "--fold", "0"});
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  const std::string weights = folder_ / "run/fold_0/best.safetensors";
  const nlohmann::json rows = measure({"logits", "--model", "resnet18", "--weights", weights,
                                       "--data", photos, "--exact", "6"})["logits"];
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0]["images"], 36);
  EXPECT_EQ(rows[1]["images"], 6);
  EXPECT_LT(rows[1]["error"]["rms"], 1e-4) << rows[1];                  // f32 against double
  EXPECT_LT(rows[2]["error"]["rms"], rows[3]["error"]["rms"]) << rows;  // int16 and bf16

  Generator generator(1);
  nn::StateDict inputs;
  inputs.insert("images", random_normal({3, 3, 32, 32}, 0, 1, generator));
  weights::save_safetensors(folder_ / "inputs.safetensors", inputs);
  const std::string out = folder_ / "logits.safetensors";
  const Outcome asked = run_program(
      "bench_precision", {"outputs", "--model", "resnet18", "--weights", weights, "--inputs",
                          folder_ / "inputs.safetensors", "--batch-size", "2", "--out", out});
  ASSERT_EQ(asked.exit_code, 0) << asked.output;
  EXPECT_EQ(weights::load(out).tensors.at("logits").shape(), (Shape{3, 3}));
}

TEST_F(BenchPrecision, SaysWhatIsMissing) {
  const Outcome outcome = run_program("bench_precision", {"layers"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("--model is required"));
}

}  // namespace
}  // namespace hanok::test
