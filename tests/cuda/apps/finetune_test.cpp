// finetune --device cuda, end to end: the whole CUDA backend emulated on the CPU (see
// tests/cuda/standin).
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/program.h"
#include "tests/cuda/apps/machine.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

struct Step {
  double loss = 0, gradient_norm = 0;
};

class FinetuneOnCuda : public ::testing::Test {
 protected:
  /// Files that the programs cache must not go to the user's cache.
  void SetUp() override { use_home("home"); }
  void TearDown() override { unsetenv("HANOK_HOME"); }
  void use_home(const std::string& name) const {
    setenv("HANOK_HOME", (folder_ / name).c_str(), 1);
  }

  Arguments command(const std::string& out, const std::string& device) const {
    return {"--data",         folder_ / "data",
            "--weights",      "none",
            "--val-fraction", "0.25",
            "--epochs",       "20",
            "--max-steps",    "20",
            "--patience",     "0",
            "--threads",      "1",
            "--log-steps",    "1",
            "--scheduler",    "constant",
            "--device",       device,
            "--out",          folder_ / out};
  }

  void draw_faces(int people) const {
    const Outcome drawn = run_program("finetune_emulated", {"--write-synthetic", folder_ / "data",
                                                            "--people", std::to_string(people)});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.output;
  }

  Outcome run(const Arguments& arguments) const {
    return run_program("finetune_emulated", arguments);
  }

  std::vector<Step> steps(const std::string& out) const {
    std::vector<Step> result;
    const auto rows = read_plain_csv(folder_ / (out + "/fold_0/steps.csv"));
    for (std::size_t i = 1; i < rows.size(); ++i) {
      result.push_back({std::stod(rows[i].at(2)), std::stod(rows[i].at(4))});
    }
    return result;
  }

  /// A run into folder "broken" that is interrupted at `moment` of its output and resumed ends like
  /// the same uninterrupted run into folder "whole".
  void expect_resumed_as_whole(const Arguments& whole, const Arguments& broken,
                               const std::string& moment) const {
    const Outcome undisturbed = run(whole);
    ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.output;
    Process process("finetune_emulated", broken);
    ASSERT_TRUE(process.wait_for_output(moment));
    process.send(SIGINT);
    const Outcome stopped = process.wait();
    ASSERT_THAT(stopped.exit_code, ::testing::AnyOf(0, 3)) << stopped.output;
    if (stopped.exit_code == 3) {  // all options come from the run's config.toml
      const Outcome resumed = run({"--resume", folder_ / "broken"});
      ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    }
    EXPECT_EQ(read_json(folder_ / "broken/summary.json").at("last_weights_hash"),
              read_json(folder_ / "whole/summary.json").at("last_weights_hash"));
  }

  TemporaryFolder folder_;
};

const Arguments kResNet = {"--model", "resnet18", "--image-size", "64", "--batch-size", "8"};
const Arguments kLeNet = {"--model", "lenet", "--image-size", "32", "--batch-size", "4"};

/// Losses of 20 steps within 1e-4; each gradient norm within `norm_tolerance`, and most of them
/// within 5e-4.
void expect_near(const std::vector<Step>& cuda, const std::vector<Step>& cpu,
                 double norm_tolerance) {
  ASSERT_EQ(cpu.size(), 20U);
  ASSERT_EQ(cuda.size(), cpu.size());
  std::vector<double> norm_differences;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    EXPECT_NEAR(cuda[i].loss, cpu[i].loss, 1e-4) << "step " << i + 1;
    norm_differences.push_back(std::fabs(cuda[i].gradient_norm - cpu[i].gradient_norm) /
                               cpu[i].gradient_norm);
    EXPECT_LE(norm_differences.back(), norm_tolerance) << "step " << i + 1;
  }
  std::sort(norm_differences.begin(), norm_differences.end());
  EXPECT_LE(norm_differences[14], 5e-4) << "in more than a quarter of the steps";
}

TEST_F(FinetuneOnCuda, ResNet18HasTheCpusLossesFor20Steps) {
  draw_faces(6);
  // A newly initialised ResNet with batch statistics of few images is so sensitive that even the
  // CPU's two instruction-set paths differ by 1e-3 after 20 steps at a rate of 1e-5. At this rate
  // they do not.
  const Arguments resnet = kResNet + Arguments{"--optimizer", "sgd", "--lr", "0.000001"};
  const Outcome cpu = run(command("cpu", "cpu") + resnet);
  ASSERT_EQ(cpu.exit_code, 0) << cpu.output;
  const Outcome cuda = run(command("cuda", "cuda:0") + resnet);
  ASSERT_EQ(cuda.exit_code, 0) << cuda.output;
  // In a few of a step's 131,072 max-pool windows two values are equal up to rounding, and their
  // gradient goes to different elements on different devices: a norm then changes by some
  // thousandths.
  expect_near(steps("cuda"), steps("cpu"), 5e-3);
}

TEST_F(FinetuneOnCuda, AnyLegalOrderOfTheStreamsGivesTheSameBits) {
  draw_faces(4);
  std::string weights;
  for (const char* seed : {"seed=0", "seed=1", "seed=2", "seed=3"}) {
    const Machine machine(seed);
    const std::string out = std::string("run_") + seed;
    const Outcome run_outcome =
        run(command(out, "cuda") + kLeNet + Arguments{"--augment", "strong"});
    ASSERT_EQ(run_outcome.exit_code, 0) << run_outcome.output;
    const auto hash = read_json(folder_ / (out + "/summary.json")).at("last_weights_hash");
    if (weights.empty()) weights = hash.dump();
    EXPECT_EQ(hash.dump(), weights) << seed;
  }
}

TEST_F(FinetuneOnCuda, WithoutNvidiasLibrariesItsOwnKernelsCompute) {
  draw_faces(4);
  const Machine machine("cublas=0,cudnn=0");
  const Outcome cpu = run(command("cpu", "cpu") + kLeNet);
  ASSERT_EQ(cpu.exit_code, 0) << cpu.output;
  const Outcome cuda = run(command("cuda", "cuda") + kLeNet);
  ASSERT_EQ(cuda.exit_code, 0) << cuda.output;
  expect_near(steps("cuda"), steps("cpu"), 1e-3);
}

TEST_F(FinetuneOnCuda, AKilledRunGoesOnToTheSameBits) {
  draw_faces(4);
  expect_resumed_as_whole(command("whole", "cuda") + kLeNet, command("broken", "cuda") + kLeNet,
                          "epoch  2/20");
  EXPECT_EQ(read_text(folder_ / "broken/fold_0/steps.csv"),
            read_text(folder_ / "whole/fold_0/steps.csv"));
}

TEST_F(FinetuneOnCuda, ChecksARecipeOnTheDevice) {
  draw_faces(4);
  const Outcome outcome =
      run(Arguments{"--data", folder_ / "data", "--weights", "none", "--device", "cuda", "--lr",
                    "0.002", "--val-fraction", "0.25", "--threads", "1", "--check"} +
          kLeNet);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("ok     predict"));
  const Machine machine("driver=0");
  const Outcome refused = run({"--data", folder_ / "data", "--device", "cuda", "--check"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("no NVIDIA driver"));
}

TEST_F(FinetuneOnCuda, RefusesToProfileWhatItCannotMeasure) {
  draw_faces(1);
  const Outcome outcome = run(command("refused", "auto") + kLeNet + Arguments{"--profile"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("--device selects cuda:0"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "refused"));
}

TEST_F(FinetuneOnCuda, ARunGoesOnWithTheKernelsThatItMeasured) {
  draw_faces(4);
  const Arguments autotune = kLeNet + Arguments{"--autotune"};
  std::string whole;
  {
    const Machine machine("seed=1");
    const Outcome outcome = run(command("whole", "cuda") + autotune);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    whole = read_json(folder_ / "whole/summary.json").at("last_weights_hash").dump();
    EXPECT_THAT(read_text(folder_ / "whole/cudnn_plans.txt"), HasSubstr("fastest of 2: "));
    // Uses the same kernels, since they are in the user's cache.
    Process broken("finetune_emulated", command("broken", "cuda") + autotune);
    ASSERT_TRUE(broken.wait_for_output("epoch  2/20"));
    broken.send(SIGINT);
    ASSERT_THAT(broken.wait().exit_code, ::testing::AnyOf(0, 3));
    EXPECT_THAT(read_text(folder_ / "broken/cudnn_plans.txt"),
                HasSubstr(", from " + (folder_ / "home/cudnn_plans")));
  }
  // Measuring here would choose other plans: the run's own are used.
  use_home("other home");
  const Machine machine("seed=2");
  if (!std::filesystem::exists(folder_ / "broken/summary.json")) {
    const Outcome resumed = run({"--resume", folder_ / "broken"});
    ASSERT_EQ(resumed.exit_code, 0) << resumed.output;
    EXPECT_THAT(read_text(folder_ / "broken/cudnn_plans.txt"),
                HasSubstr(", from " + (folder_ / "broken/cudnn_plans")));
  }
  EXPECT_EQ(read_json(folder_ / "broken/summary.json").at("last_weights_hash").dump(), whole);
  use_home("third home");
  const Outcome other = run(command("other", "cuda") + autotune);
  ASSERT_EQ(other.exit_code, 0) << other.output;
  EXPECT_NE(read_json(folder_ / "other/summary.json").at("last_weights_hash").dump(), whole);
}

/// Mean training loss by epoch, and the last epoch's validation loss.
struct Losses {
  std::vector<double> training;
  double validation = 0;
};

class MixedPrecision : public FinetuneOnCuda {
 protected:
  /// LeNet on synthetic faces at a rate at which it learns.
  Arguments learning(const std::string& out, const std::string& precision) const {
    return {"--data",         folder_ / "data",
            "--weights",      "none",
            "--val-fraction", "0.25",
            "--epochs",       "12",
            "--patience",     "0",
            "--threads",      "1",
            "--scheduler",    "constant",
            "--optimizer",    "adamw",
            "--lr",           "0.002",
            "--model",        "lenet",
            "--image-size",   "32",
            "--batch-size",   "8",
            "--device",       "cuda",
            "--precision",    precision,
            "--out",          folder_ / out};
  }
  Losses learn(const std::string& precision) const {
    const Outcome outcome = run(learning(precision, precision));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    Losses losses;
    std::ifstream lines(folder_ / (precision + "/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto epoch = nlohmann::json::parse(line);
      losses.training.push_back(epoch.at("loss"));
      losses.validation = epoch.at("val_loss");
    }
    EXPECT_EQ(losses.training.size(), 12U);
    return losses;
  }
};

// In 12 epochs f32 reduces the training loss from 2.81 to 1.41, bf16 to 1.44 and f16 to 1.46 (TF32
// is f32 here). Runs with the same start diverge, though later than with two seeds, so the test
// requires only that they learn about equally well.
TEST_F(MixedPrecision, LearnsFacesAsInF32) {
  draw_faces(12);
  const Losses f32 = learn("f32");
  EXPECT_LT(f32.training.back(), 0.75 * f32.training.front());
  for (const char* precision : {"bf16", "f16", "tf32"}) {
    SCOPED_TRACE(precision);
    const Losses other = learn(precision);
    EXPECT_NEAR(other.training.front(), f32.training.front(), 0.01);
    EXPECT_NEAR(other.training.back(), f32.training.back(), 0.15);
    EXPECT_NEAR(other.validation, f32.validation, 0.3);
  }
}

TEST_F(MixedPrecision, AKilledRunInF16GoesOnToTheSameBits) {
  draw_faces(4);
  expect_resumed_as_whole(learning("whole", "f16"), learning("broken", "f16"), "epoch  2/12");
}

TEST_F(MixedPrecision, IsRefusedWhereTheDeviceHasItNot) {
  draw_faces(4);
  const Arguments lenet = command("refused", "cuda") + kLeNet;
  {
    const Machine turing("arch=75");
    for (const char* precision : {"bf16", "tf32"}) {
      const Outcome outcome = run(lenet + Arguments{"--precision", precision});
      EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr(std::string("precision ") + precision +
                                            ": cuda:0 is of sm_75; needed: sm_80 (Ampere)"));
    }
    EXPECT_EQ(run(lenet + Arguments{"--precision", "f16", "--dry-run"}).exit_code, 0);
  }
  const Outcome cpu = run(command("refused", "cpu") + kLeNet + Arguments{"--precision", "bf16"});
  EXPECT_EQ(cpu.exit_code, 1) << cpu.output;
  EXPECT_THAT(cpu.output, HasSubstr("precision bf16: the CPU computes in f32 and int16 alone"));
}

TEST_F(FinetuneOnCuda, SaysWhatIsMissing) {
  draw_faces(1);
  for (const BadMachine& bad : kBadMachines) {
    const Machine machine(bad.settings);
    const Outcome outcome = run(command("refused", bad.device) + kLeNet);
    EXPECT_EQ(outcome.exit_code, 1) << bad.settings << "\n" << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(bad.found)) << bad.settings;
    EXPECT_THAT(outcome.output, HasSubstr(bad.needed)) << bad.settings;
    // The CPU is still available.
    const Outcome listed = run_program("inspect_emulated", {"devices"});
    EXPECT_EQ(listed.exit_code, 0) << listed.output;
  }
}

TEST_F(FinetuneOnCuda, TooLittleMemoryIsAnErrorThatSaysSo) {
  draw_faces(4);
  const Machine machine("memory=48M");
  const Outcome outcome = run(command("refused", "cuda") + kResNet);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("memory"));
}

TEST_F(FinetuneOnCuda, AnErrorOfTheDeviceEndsTheRunAndInSyncModeNamesItsOp) {
  draw_faces(4);
  const Machine machine("fail_launch=40");
  setenv("HANOK_CUDA_SYNC", "1", 1);
  const Outcome outcome = run(command("broken", "cuda") + kLeNet);
  unsetenv("HANOK_CUDA_SYNC");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, ::testing::ContainsRegex("[a-z0-9_]+ on cuda:0: "));
  EXPECT_THAT(outcome.output, HasSubstr("cudaErrorLaunchFailure"));
}

TEST_F(FinetuneOnCuda, InspectListsTheDevices) {
  const auto listed = [](const char* settings) {
    const Machine machine(settings);
    const Outcome outcome = run_program("inspect_emulated", {"devices"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.output;
  };
  const std::string two = listed("devices=2,arch=75,memory=8G");
  EXPECT_THAT(two, HasSubstr("driver: for CUDA 13.0"));
  EXPECT_THAT(two, HasSubstr("cuDNN: 9.8.0"));
  for (const char* device : {"cuda:0", "cuda:1"}) {
    EXPECT_THAT(two, HasSubstr(device + std::string(" stand-in on the CPU (sm_75), 8.0 of 8.0")));
  }
  const std::string without = listed("cublas=0,cudnn=0");
  EXPECT_THAT(without, HasSubstr("cuBLAS: missing, so hanok's own kernels compute"));
  EXPECT_THAT(without, HasSubstr("cuDNN: missing, so hanok's own kernels compute"));
  EXPECT_THAT(listed("arch=61"), HasSubstr("not usable: cuda:0: stand-in on the CPU is of sm_61"));
  EXPECT_THAT(listed("driver=12020"), HasSubstr("this program needs one for CUDA 13.0"));
}

}  // namespace
}  // namespace hanok::test
