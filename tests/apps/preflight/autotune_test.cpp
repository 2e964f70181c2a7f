// --autotune: choices that are measured once, kept with the run, and gone by afterwards.
#include <filesystem>

#include "tests/apps/flags.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;

class Autotune : public Flags {
 protected:
  /// Of a network whose convolutions several algorithms can compute.
  std::string tuned_run() {
    const std::string run = folder_ / "run";
    const Outcome outcome =
        finetune(replaced({"--model", "resnet18", "--epochs", "2", "--autotune", "--out", run}));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("autotune: another algorithm for"));
    return run;
  }
};

TEST_F(Autotune, KeepsAChoiceForEveryConvolution) {
  const std::string run = tuned_run();
  const std::vector<std::string> lines = lines_of(read_text(run + "/conv2d_choices.csv"));
  EXPECT_THAT(lines.at(0), HasSubstr("pass,algorithm,shipped,milliseconds"));
  // ResNet18 has 11 convolutions of different sizes; the stem's input needs no gradient.
  EXPECT_EQ(lines.size(), 1U + 11 * 3 - 1);
}

TEST_F(Autotune, ResumeGoesByTheChoicesOfTheRun) {
  const std::string run = tuned_run();
  const std::string choices = run + "/conv2d_choices.csv";
  // As if nothing had been trained; then with every choice turned into the plain algorithm.
  const auto again = [&] {
    std::filesystem::remove_all(run + "/fold_0");
    std::filesystem::remove(run + "/metrics.jsonl");
    const Outcome outcome = finetune({"--resume", run, "--threads", "2"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return nlohmann::json::parse(read_text(run + "/summary.json")).at("last_weights_hash");
  };
  const auto first =
      nlohmann::json::parse(read_text(run + "/summary.json")).at("last_weights_hash");
  EXPECT_EQ(again(), first);
  std::string text = read_text(choices);
  for (const std::string name : {"winograd4x4", "winograd2x2", "winograd_stem"}) {
    for (std::size_t at; (at = text.find("," + name + ",")) != std::string::npos;) {
      text.replace(at, name.size() + 2, ",implicit_gemm,");
    }
  }
  write_text(choices, text);
  EXPECT_NE(again(), first);

  write_text(choices, "pass,algorithm\nforward,quick\n");
  const Outcome damaged = finetune({"--resume", run});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.output, HasSubstr("conv2d_choices.csv"));
  // Killed before they were written: measured now, and said.
  std::filesystem::remove(choices);
  const Outcome measured = finetune({"--resume", run});
  EXPECT_EQ(measured.exit_code, 0) << measured.output;
  EXPECT_THAT(measured.output, HasSubstr("autotune: another algorithm for"));
  EXPECT_TRUE(std::filesystem::exists(choices));
}

}  // namespace
}  // namespace hanok::test
