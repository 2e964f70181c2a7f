// --cache-features: the same bits as without, and frozen layers that compute once an image.
#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;
using nlohmann::json;

class FeatureCaching : public ::testing::Test {
 protected:
  FeatureCaching() {
    PhotoOptions photos;
    photos.members = 14;  // 21 training images: the last of three batches is short
    draw_photos(folder_ / "photos", photos);
  }

  Outcome train(const std::string& out, const Arguments& more) {
    return finetune(Arguments{"--data", folder_ / "photos", "--weights", "none", "--image-size",
                              "32", "--folds", "2", "--fold", "0", "--batch-size", "8",
                              "--patience", "0", "--out", out} +
                    more);
  }

  /// Trains with and without and expects the same weights, predictions and metrics.
  void expect_same_bits(const Arguments& arguments, const Arguments& cache) {
    const std::string number = std::to_string(runs_++);
    const std::string plain = folder_ / ("plain" + number);
    const std::string cached = folder_ / ("cached" + number);
    const Outcome without = train(plain, arguments + Arguments{"--cache-features", "no"});
    ASSERT_EQ(without.exit_code, 0) << without.output;
    EXPECT_THAT(without.output, Not(HasSubstr("are cached")));
    const Outcome with = train(cached, arguments + cache);
    ASSERT_EQ(with.exit_code, 0) << with.output;
    EXPECT_THAT(with.output, HasSubstr("are cached"));
    expect_same_end(plain, cached);
  }

  static void expect_same_end(const std::string& a, const std::string& b) {
    const json first = read_json(a + "/summary.json");
    const json second = read_json(b + "/summary.json");
    EXPECT_EQ(first.at("last_weights_hash"), second.at("last_weights_hash"));
    EXPECT_EQ(first.at("weights_hash"), second.at("weights_hash"));
    EXPECT_EQ(read_text(a + "/predictions.csv"), read_text(b + "/predictions.csv"));
  }

  TemporaryFolder folder_;
  int runs_ = 0;
};

TEST_F(FeatureCaching, GivesTheSameBitsForLenet) {
  expect_same_bits(
      {"--model", "lenet", "--epochs", "6", "--augment", "none", "--mode", "feature-extraction"},
      {});
}

TEST_F(FeatureCaching, GivesTheSameBitsForResnetFromAnyStage) {
  const Arguments base = {"--model", "resnet18", "--epochs", "3", "--augment", "none"};
  expect_same_bits(base + Arguments{"--mode", "feature-extraction"}, {"--cache-features", "yes"});
  expect_same_bits(
      base + Arguments{"--freeze", "conv1", "--freeze", "bn1", "--freeze", "layer[123]"},
      {"--cache-features", "yes"});
}

TEST_F(FeatureCaching, GivesTheSameBitsWhileLayersThaw) {
  expect_same_bits({"--model", "lenet", "--epochs", "10", "--augment", "none", "--mode", "gradual"},
                   {});
}

TEST_F(FeatureCaching, GivesTheSameBitsWithRepeatedAugmentations) {
  expect_same_bits({"--model", "lenet", "--epochs", "7", "--augment", "light", "--augment-repeats",
                    "3", "--mode", "feature-extraction"},
                   {"--cache-features", "yes"});
}

TEST_F(FeatureCaching, GivesTheSameBitsFromAFile) {
  expect_same_bits({"--model", "lenet", "--epochs", "4", "--augment", "none", "--freeze", "conv1"},
                   {"--cache-budget", "0"});
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "cached0")) {
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("records")));
  }
}

TEST_F(FeatureCaching, ResumesBitwise) {
  const Arguments base = {"--model",   "lenet", "--epochs", "40",
                          "--augment", "none",  "--mode",   "feature-extraction"};
  ASSERT_EQ(train(folder_ / "whole", base + Arguments{"--cache-features", "no"}).exit_code, 0);
  const std::string broken = folder_ / "broken";
  {
    Process process("finetune", Arguments{"--data", folder_ / "photos", "--weights", "none",
                                          "--image-size", "32", "--folds", "2", "--fold", "0",
                                          "--batch-size", "8", "--patience", "0", "--out", broken} +
                                    base);
    EXPECT_TRUE(process.wait_for_output("val loss", 5));
    process.send(SIGKILL);
    process.wait();
  }
  const Outcome outcome = finetune({"--resume", broken});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  expect_same_end(folder_ / "whole", broken);
}

TEST_F(FeatureCaching, ComputesFrozenLayersOnceAnImage) {
  const auto count_conv1 = [&](const std::string& name, const std::string& cache) {
    const Outcome outcome =
        train(folder_ / name, {"--model", "lenet", "--epochs", "5", "--augment", "none", "--mode",
                               "feature-extraction", "--profile", "--cache-features", cache});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    int count = 0;
    const json trace = read_json(folder_ / (name + "/profile.json"));
    for (const json& event : trace.at("traceEvents")) {
      if (event.at("name") == "conv1 conv2d_forward") ++count;
    }
    return count;
  };
  // Three steps an epoch; the first two warm up and are not recorded.
  EXPECT_EQ(count_conv1("without", "no"), 13);
  EXPECT_EQ(count_conv1("with", "yes"), 1);
}

TEST_F(FeatureCaching, SaysWhyItCannotBe) {
  const auto message = [&](const Arguments& more) {
    const Outcome outcome = train(folder_ / "none", more + Arguments{"--cache-features", "yes"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "none/summary.json"));
    return outcome.output;
  };
  EXPECT_THAT(message({"--model", "lenet", "--mode", "feature-extraction"}),
              HasSubstr("--augment-repeats"));
  EXPECT_THAT(message({"--model", "lenet", "--augment", "none"}), HasSubstr("first layers learn"));
  EXPECT_THAT(
      message({"--model", "convnext_tiny", "--augment", "none", "--mode", "feature-extraction"}),
      HasSubstr("convnext_tiny is not cut into stages"));
}

}  // namespace
}  // namespace hanok::test
