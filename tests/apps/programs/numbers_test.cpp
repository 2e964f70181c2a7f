// Unusual numbers through the programs: constant photographs, batches of one, classes with next to
// no member, weights that overflow. Each ends with scores that are numbers, or with an error that
// says what was found.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "hanok/data/image.h"
#include "hanok/weights/weights.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

class Numbers : public ::testing::Test {
 protected:
  Arguments command(const std::string& data, const std::string& out) const {
    return {
        "--data", folder_ / data, "--model", "resnet18", "--weights", "none",      "--image-size",
        "32",     "--epochs",     "2",       "--folds",  "2",         "--threads", "1",
        "--out",  folder_ / out};
  }
  /// The run's scores and losses are finite numbers.
  void expect_numbers(const std::string& run) const {
    const std::vector<std::string> lines = lines_of(read_text(folder_ / (run + "/metrics.jsonl")));
    EXPECT_FALSE(lines.empty());
    for (const std::string& line : lines) {
      const auto values = nlohmann::json::parse(line);
      for (const char* key : {"loss", "accuracy", "val_loss", "val_macro_f1"}) {
        ASSERT_TRUE(values.at(key).is_number()) << line;
        EXPECT_TRUE(std::isfinite(values.at(key).get<double>())) << line;
      }
    }
  }
  TemporaryFolder folder_;
};

TEST_F(Numbers, ConstantPhotographsGiveFiniteScores) {
  // Every channel of every image is the same: batch norm sees no variance.
  const data::Image black{.width = 32, .height = 32, .pixels = std::vector<std::uint8_t>(3072, 0)};
  const std::vector<std::uint8_t> png = data::encode_png(black);
  for (const char* kind : {"black/class0", "black/class1"}) {
    std::filesystem::create_directories(folder_ / kind);
    for (int i = 0; i < 8; ++i) {
      write_text(folder_ / kind + "/photo" + std::to_string(i) + ".png",
                 std::string(png.begin(), png.end()));
    }
  }
  const Outcome outcome = finetune(
      command("black", "run") + Arguments{"--augment", "none", "--batch-size", "4", "--fold", "0"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  expect_numbers("run");
}

TEST_F(Numbers, BatchesOfOneTrainOrSayWhatTheyLack) {
  draw_photos(folder_ / "photos", {.classes = 2, .members = 4});
  // At 32 pixels the last layers of ResNet have one pixel: nothing has a variance there.
  const Outcome outcome =
      finetune(command("photos", "run") + Arguments{"--batch-size", "1", "--fold", "0"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("training needs more than 1 value a channel (input [1,"));
  Arguments lenet = command("photos", "lenet") + Arguments{"--batch-size", "1", "--fold", "0"};
  lenet[3] = "lenet";
  const Outcome trained = finetune(lenet);
  EXPECT_EQ(trained.exit_code, 0) << trained.output;
  expect_numbers("lenet");
}

TEST_F(Numbers, AClassWithOneMemberTrainsOrIsNamed) {
  draw_photos(folder_ / "photos", {.classes = 3, .members = 6});
  for (int i = 1; i < 6; ++i) {
    std::filesystem::remove(folder_ / ("photos/class2/photo0" + std::to_string(i) + ".png"));
  }
  int trained = 0;
  for (const char* fold : {"0", "1"}) {
    const std::string out = std::string("run_") + fold;
    const Outcome outcome =
        finetune(command("photos", out) +
                 Arguments{"--batch-size", "4", "--class-weights", "balanced", "--fold", fold});
    if (outcome.exit_code != 0) {  // where the image is validated on
      EXPECT_EQ(outcome.exit_code, 1);
      EXPECT_THAT(outcome.output, HasSubstr("has no training image of class 'class2'"));
      continue;
    }
    ++trained;
    expect_numbers(out);
    const auto summary = read_json(folder_ / (out + "/summary.json"));
    EXPECT_TRUE(std::isfinite(summary.at("macro_f1").get<double>()));
    EXPECT_EQ(summary.at("per_class").at("class2").at("support"), 0);
  }
  EXPECT_EQ(trained, 1);
}

TEST_F(Numbers, WeightsThatOverflowEndTheRunAndNameTheLayer) {
  draw_photos(folder_ / "photos", {.classes = 2, .members = 6});
  Arguments lenet = command("photos", "first") + Arguments{"--batch-size", "4", "--fold", "0"};
  lenet[3] = "lenet";
  ASSERT_EQ(finetune(lenet).exit_code, 0);
  const auto start = weights::load(folder_ / "first/fold_0/best.safetensors");
  for (const float planted : {std::numeric_limits<float>::quiet_NaN(), 3e38F}) {
    nn::StateDict changed;
    for (const auto& [name, tensor] : start.tensors) {
      std::vector<float> values = tensor.to_vector();
      if (name == "fc2.weight") std::fill(values.begin(), values.end(), planted);
      changed.insert(name, Tensor::from_vector(values, tensor.shape()));
    }
    weights::save_safetensors(folder_ / "planted.safetensors", changed);
    Arguments again = command("photos", "again") + Arguments{"--batch-size", "4", "--fold", "0"};
    again[3] = "lenet";
    again[5] = folder_ / "planted.safetensors";
    const Outcome plain = finetune(again);
    EXPECT_EQ(plain.exit_code, 4) << plain.output;
    EXPECT_THAT(plain.output, AllOf(HasSubstr("the loss is"), HasSubstr("--detect-anomaly")));
    const Outcome detected = finetune(again + Arguments{"--detect-anomaly", "--device", "cpu"});
    EXPECT_EQ(detected.exit_code, 4) << detected.output;
    EXPECT_THAT(detected.output,
                AllOf(HasSubstr("fold 0, epoch 1, step 1: fc2, forward: "),
                      HasSubstr(std::isnan(planted) ? "fc2.weight" : "are not finite")));
  }
}

}  // namespace
}  // namespace hanok::test
