// --memory: the budget of tensors follows from it, and whole programs stay within it.
#include "hanok/apps/run/memory_limit.h"

#include <gmock/gmock.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/option_values.h"
#include "hanok/engine/allocator.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;

Allocator& tensors() { return allocator_of(Device::cpu()); }

class MemoryLimit : public ::testing::Test {
 protected:
  ~MemoryLimit() override { training::limit_memory(0, {}); }
  static std::int64_t budget(std::int64_t bytes, const training::OtherMemory& other) {
    training::limit_memory(bytes, other);
    return static_cast<std::int64_t>(tensors().statistics().budget);
  }
};

TEST_F(MemoryLimit, LeavesTensorsWhatOthersDoNotNeed) {
  const std::int64_t bytes = 4096 * kMebibyte;
  const std::int64_t alone = budget(bytes, {.threads = 1, .workers = 1});
  EXPECT_LT(alone, bytes);
  EXPECT_GT(alone, bytes / 2);
  EXPECT_LT(budget(bytes, {.threads = 8, .workers = 1}), alone);
  EXPECT_LT(budget(bytes, {.threads = 1, .workers = 8}), alone);
  const std::int64_t decoding = 300 * kMebibyte;
  EXPECT_NEAR(
      static_cast<double>(budget(bytes, {.threads = 1, .workers = 1, .decoding = decoding})),
      static_cast<double>(alone - decoding), 8.0 * kMebibyte);
}

TEST_F(MemoryLimit, IsNoLimitWithoutASize) {
  const std::int64_t before = budget(0, {});
  EXPECT_LT(budget(1024 * kMebibyte, {.threads = 1}), before);
  EXPECT_GT(budget(0, {}), before / 2);
}

TEST_F(MemoryLimit, TooLittleIsAUsageErrorThatNamesWhatIsNeeded) {
  try {
    training::limit_memory(8 * kMebibyte, {.threads = 1, .workers = 3});
    FAIL() << "8 MiB are enough";
  } catch (const training::UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--memory: 8 MiB is too little"),
                                    HasSubstr("3 workers"), HasSubstr("nothing is left")));
  }
}

TEST(MemorySize, IsReadWithItsUnitAndWrittenAlike) {
  using training::parse_memory;
  EXPECT_EQ(parse_memory("auto").bytes, 0);
  EXPECT_EQ(parse_memory("700M").bytes, 700 * kMebibyte);
  EXPECT_EQ(parse_memory("700MiB").bytes, 700 * kMebibyte);
  EXPECT_EQ(parse_memory("2GB").bytes, 2048 * kMebibyte);
  EXPECT_EQ(parse_memory("1.5G").bytes, 1536 * kMebibyte);
  EXPECT_EQ(parse_memory("2048K").bytes, 2 * kMebibyte);
  for (const char* text : {"auto", "700M", "2G", "1536M", "1025K"}) {
    EXPECT_EQ(text_of(parse_memory(text)), text);
  }
  for (const char* text :
       {"", "700", "M", "-1G", "1X", "1Gx", "1 G", "nanG", "infG", "9999999T", "12"}) {
    EXPECT_THROW(parse_memory(text), training::UsageError) << text;
  }
}

// ResNet18 with its optimiser and best weights takes 225 MiB of what is allowed.
class MemoryOption : public ::testing::Test {
 protected:
  MemoryOption() { draw_photos(folder_ / "photos"); }

  struct Trained {
    nlohmann::json fold;
    std::string weights, output;
  };
  Trained train(const std::string& memory) const {
    const std::string run = folder_ / ("run" + memory);
    const Outcome outcome = finetune({"--data",         folder_ / "photos",
                                      "--layout",       "folder",
                                      "--model",        "resnet18",
                                      "--weights",      "none",
                                      "--val-fraction", "0.4",
                                      "--epochs",       "2",
                                      "--threads",      "1",
                                      "--workers",      "1",
                                      "--image-size",   "128",
                                      "--batch-size",   "16",
                                      "--memory",       memory,
                                      "--out",          run});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    if (outcome.exit_code != 0) return {};
    return {.fold = read_json(run + "/summary.json").at("folds")[0],
            .weights = read_text(run + "/fold_0/best.safetensors"),
            .output = outcome.output};
  }
  static void expect_peak_within(const Trained& trained, std::int64_t mebibytes) {
    EXPECT_LT(trained.fold.at("peak_memory_bytes").get<std::int64_t>(),
              mebibytes * kMebibyte * 11 / 10);
  }

  TemporaryFolder folder_;
};

TEST_F(MemoryOption, WhatDoesNotFitIsRecomputedToTheSameBits) {
  const Trained tight = train("300M");
  expect_peak_within(tight, 300);
  EXPECT_GT(tight.fold.value("recomputed_blocks", 0), 0) << tight.output;
  EXPECT_EQ(tight.fold.value("split_into", 0), 0) << tight.output;
  EXPECT_EQ(tight.weights, train("auto").weights);
}

TEST_F(MemoryOption, AndThenSplit) {
  const Trained tight = train("262M");
  expect_peak_within(tight, 262);
  EXPECT_GT(tight.fold.value("split_into", 0), 1) << tight.output;
  // A repetition divides batches at the same steps, with the budget that the run recorded.
  const Outcome repeated =
      run_program("inspect", {"verify", folder_ / "run262M", "--epoch", "2", "--threads", "1"});
  EXPECT_EQ(repeated.exit_code, 0) << repeated.output;
}

}  // namespace
}  // namespace hanok::test
