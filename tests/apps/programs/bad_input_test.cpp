// Bad input ends with a clear message and the right exit code.
#include <algorithm>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/options.h"
#include "hanok/engine/tensor.h"
#include "hanok/weights/weights.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

class BadInput : public ::testing::Test {
 protected:
  BadInput() { draw_photos(folder_ / "photos"); }

  /// A short run on the photographs with `more` behind it.
  Outcome run(const Arguments& more) {
    return finetune(command() + Arguments{"--data", folder_ / "photos"} + more);
  }
  /// The base command with another value for one of its options.
  Arguments command_with(const std::string& option, const std::string& value) const {
    Arguments arguments = command() + Arguments{"--data", folder_ / "photos"};
    *(std::find(arguments.begin(), arguments.end(), option) + 1) = value;
    return arguments;
  }
  Arguments command() const {
    return {"--model",      "lenet", "--weights",    "none",
            "--image-size", "32",    "--batch-size", "8",
            "--epochs",     "1",     "--folds",      "2",
            "--fold",       "0",     "--out",        folder_ / "run"};
  }
  /// The run was refused before anything was written.
  void expect_refused(const Outcome& outcome, int exit_code,
                      const ::testing::Matcher<std::string>& text) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output;
    EXPECT_THAT(outcome.output, text);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run/config.toml"));
  }

  TemporaryFolder folder_;
};

TEST_F(BadInput, MissingFolder) {
  const Outcome outcome = finetune(command() + Arguments{"--data", folder_ / "nowhere"});
  expect_refused(outcome, 2, AllOf(HasSubstr("nowhere"), HasSubstr("no such folder")));
}

TEST_F(BadInput, MissingDataAndOut) {
  expect_refused(finetune(command()), 2, HasSubstr("--data: missing"));
  expect_refused(finetune({"--data", folder_ / "photos"}), 2, HasSubstr("--out: missing"));
}

TEST_F(BadInput, EmptyClass) {
  std::filesystem::create_directories(folder_ / "photos/nobody");
  expect_refused(run({}), 1, HasSubstr("nobody"));
}

TEST_F(BadInput, OneClassOnly) {
  PhotoOptions one;
  one.classes = 1;
  draw_photos(folder_ / "one", one);
  expect_refused(finetune(command() + Arguments{"--data", folder_ / "one"}), 1, HasSubstr("class"));
}

TEST_F(BadInput, FewerMembersThanFoldsWarnsAndGoesOn) {
  PhotoOptions few;
  few.classes = 1;
  few.members = 2;
  draw_photos(folder_ / "few", few);
  std::filesystem::rename(folder_ / "few/class0", folder_ / "photos/rare");
  const Outcome outcome = finetune(command_with("--folds", "3"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("warning"), HasSubstr("rare"), HasSubstr("3 folds")));
}

TEST_F(BadInput, MoreFoldsThanImages) {
  expect_refused(finetune(command_with("--folds", "40")), 1,
                 AllOf(HasSubstr("40 folds"), HasSubstr("36")));
}

TEST_F(BadInput, ValuesOutOfRange) {
  expect_refused(finetune(command_with("--batch-size", "0")), 2,
                 HasSubstr("--batch-size: must lie between 1 and 1048576, got 0"));
  expect_refused(finetune(command_with("--batch-size", "9223372036854775807")), 2,
                 HasSubstr("--batch-size: must lie between 1 and 1048576"));
  expect_refused(finetune(command_with("--epochs", "9223372036854775807")), 2,
                 HasSubstr("--epochs: must lie between 1 and 1000000"));
  expect_refused(run({"--lr", "0"}), 2, HasSubstr("--lr: must be above 0"));
  expect_refused(run({"--lr", "fast"}), 2, HasSubstr("expects a number, got \"fast\""));
  expect_refused(run({"--val-fraction", "1"}), 2, HasSubstr("--val-fraction"));
  expect_refused(run({"--optimizer", "lion"}), 2, HasSubstr("adamw, adam, sgd"));
  expect_refused(finetune(command_with("--fold", "2")), 2, HasSubstr("--fold"));
  expect_refused(run({"--folds", "2"}), 2, HasSubstr("--folds: expects one value, got 2"));
  expect_refused(run({"--no-such-flag"}), 2, HasSubstr("no-such-flag"));
  expect_refused(run({"--optimiser", "sgd"}), 2,
                 HasSubstr("not expected: --optimiser sgd; near names: --optimizer"));
  expect_refused(run({"--device", "gpu"}), 2, HasSubstr("auto, cpu, cuda, cuda:N"));
  expect_refused(run({"--precision", "fp8"}), 2, HasSubstr("f32, tf32, bf16, f16, int16"));
  expect_refused(run({"--device", "cpu", "--precision", "bf16"}), 1,
                 HasSubstr("precision bf16: the CPU computes in f32 and int16 alone"));
}

TEST_F(BadInput, NumbersOfEveryFormAreReadOrNamed) {
  struct Case {
    const char* value;
    const char* text;
  };
  const Case cases[] = {
      {"inf", "expects a finite number, got inf"},
      {"-inf", "expects a finite number, got -inf"},
      {"nan", "expects a finite number, got nan"},
      {"infinity", "expects a finite number, got infinity"},
      {"1e999", "1e999 is beyond the numbers that this option can hold"},
      {"1e-999", "1e-999 is beyond the numbers that this option can hold"},
      {"0x10", "expects a number, got \"0x10\""},
      {"0.1 ", "expects a number, got \"0.1 \""},
      {" 0.1", "expects a number, got \" 0.1\""},
      {"0,1", "expects a number, got \"0,1\""},
      {"1e", "expects a number, got \"1e\""},
      {"", "expects a number, got \"\""},
  };
  int options = 0;
  for (const training::OptionEntry& entry : training::option_table()) {
    if (entry.kind != training::OptionEntry::Kind::Real) continue;
    ++options;
    for (const Case& each : cases) {
      training::Options given;
      try {
        entry.set(given, {each.value});
        ADD_FAILURE() << entry.name << " takes " << each.value;
      } catch (const training::UsageError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("--" + entry.name + ": "), HasSubstr(each.text)));
      }
    }
  }
  EXPECT_GT(options, 10);
  expect_refused(run({"--lr", "inf"}), 2, HasSubstr("--lr: expects a finite number, got inf"));
  expect_refused(finetune(command_with("--epochs", "99999999999999999999")), 2,
                 HasSubstr("99999999999999999999 is beyond the numbers that this option can hold"));
  write_text(folder_ / "c.toml", "lr = inf\n");
  expect_refused(run({"--config", folder_ / "c.toml"}), 2,
                 HasSubstr("--lr: expects a finite number, got inf"));
}

TEST_F(BadInput, UnknownKeyInTheConfiguration) {
  write_text(folder_ / "c.toml", "batch_size = 8\n");
  expect_refused(run({"--config", folder_ / "c.toml"}), 2,
                 AllOf(HasSubstr("c.toml"), HasSubstr("batch_size"), HasSubstr("batch-size")));
  write_text(folder_ / "c.toml", "epochs = \"many\"\n");
  expect_refused(run({"--config", folder_ / "c.toml"}), 2, HasSubstr("whole number"));
  write_text(folder_ / "c.toml", "epochs = = 3\n");
  expect_refused(run({"--config", folder_ / "c.toml"}), 2, HasSubstr("c.toml"));
}

TEST_F(BadInput, AFolderIsNoConfiguration) {
  expect_refused(run({"--config", folder_ / "photos"}), 1,
                 AllOf(HasSubstr("photos"), HasSubstr("is a folder")));
}

TEST_F(BadInput, AClassNameThatIsNotUtf8IsToldBeforeTraining) {
  std::filesystem::rename(folder_ / "photos/class1", folder_ / "photos/caf\xE9");
  expect_refused(run({}), 1, AllOf(HasSubstr("not UTF-8"), HasSubstr("rename it")));
}

TEST_F(BadInput, AnOptionThatConfigTomlCannotHoldIsToldBeforeTraining) {
  std::filesystem::rename(folder_ / "photos", folder_ / "fotos-\xE9");
  expect_refused(finetune(command() + Arguments{"--data", folder_ / "fotos-\xE9"}), 2,
                 AllOf(HasSubstr("--data"), HasSubstr("not UTF-8")));
}

TEST_F(BadInput, FileNamesMayBeAnyBytes) {
  for (const char* name : {"photo01", "photo02"}) {
    const std::string from = folder_ / (std::string("photos/class1/") + name + ".png");
    std::filesystem::rename(from, folder_ / (std::string("photos/class1/\xE9") + name + ".png"));
  }
  write_text(folder_ / "photos/class1/\xE9photo01.png", "no picture");
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string summary = read_text(folder_ / "run/summary.json");
  EXPECT_EQ(read_json(folder_ / "run/summary.json").at("unreadable_images").size(), 1U);
  EXPECT_EQ(finetune({"--resume", folder_ / "run"}).exit_code, 0);
  EXPECT_EQ(read_text(folder_ / "run/summary.json"), summary);
  const Outcome scored =
      run_program("evaluate", {"--run", folder_ / "run", "--data", folder_ / "photos",
                               "--allow-bad", "--out", folder_ / "scores.json"});
  EXPECT_EQ(scored.exit_code, 0) << scored.output;
  EXPECT_EQ(read_json(folder_ / "scores.json").at("unreadable_images").size(), 1U);
}

TEST_F(BadInput, UnknownLayerGlobListsNearNames) {
  const Outcome outcome = run({"--freeze", "conv9"});
  expect_refused(outcome, 2, AllOf(HasSubstr("conv9"), HasSubstr("conv1")));
}

TEST_F(BadInput, WeightsOfAnotherArchitectureListAllDifferences) {
  nn::StateDict other;
  other.insert("conv1.weight", Tensor::zeros({64, 3, 7, 7}));
  other.insert("layer1.0.conv1.weight", Tensor::zeros({64, 64, 3, 3}));
  other.insert("layer1.0.conv2.weight", Tensor::zeros({64, 64, 3, 3}));
  weights::save_safetensors(folder_ / "other.safetensors", other);
  expect_refused(finetune(command_with("--weights", folder_ / "other.safetensors")), 1,
                 AllOf(HasSubstr("other.safetensors"), HasSubstr("conv1.weight"),
                       HasSubstr("layer1.0.conv1.weight"), HasSubstr("layer1.0.conv2.weight"),
                       HasSubstr("fc1.weight"), HasSubstr("fc3.bias")));
}

TEST_F(BadInput, MissingWeightsSayWhatToDo) {
  const Outcome outcome = finetune(command_with("--weights", folder_ / "none.pth"));
  expect_refused(outcome, 1, AllOf(HasSubstr("none.pth"), HasSubstr("imagenet, none, or")));
  EXPECT_EQ(lines_of(outcome.output).size(), 1U);  // before the data are read
}

TEST_F(BadInput, WithoutImageNetWeightsOneLineSaysWhatToDo) {
  setenv("HANOK_HOME", (folder_ / "home").c_str(), 1);
  Arguments arguments = command_with("--weights", "imagenet");
  *(std::find(arguments.begin(), arguments.end(), "--model") + 1) = "resnet18";
  const Outcome plain = finetune(arguments);
  unsetenv("HANOK_HOME");
  expect_refused(plain, 1, AllOf(HasSubstr("resnet18"), HasSubstr("--weights none")));
  EXPECT_EQ(lines_of(plain.output).size(), 1U);
}

TEST_F(BadInput, OutputFolderThatHoldsARun) {
  ASSERT_EQ(run({}).exit_code, 0);
  const std::string config = read_text(folder_ / "run/config.toml");
  const Outcome outcome = run({"--seed", "9"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("already holds a run"), HasSubstr("--resume")));
  EXPECT_EQ(read_text(folder_ / "run/config.toml"), config);
}

TEST_F(BadInput, BesideResumeNothingIsIgnored) {
  ASSERT_EQ(run({}).exit_code, 0);
  const auto expect = [this](const Arguments& more, const std::string& text) {
    const Outcome outcome = finetune(Arguments{"--resume", folder_ / "run"} + more);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
  };
  expect({"--out", folder_ / "other"}, "leave out --out");
  expect({"--config", folder_ / "run/config.toml"}, "leave out --config");
  expect({"--print-config"}, "leave out --print-config");
}

TEST_F(BadInput, AResumeClearsAwayWhatAKilledRunLeftHalfWritten) {
  ASSERT_EQ(run({}).exit_code, 0);
  write_text(folder_ / "run/fold_0/last/state.safetensors.7-0.tmp", "half");
  write_text(folder_ / "run/metrics.csv.7-0.tmp", "half");
  write_text(folder_ / "run/notes.tmp", "mine");
  EXPECT_EQ(finetune({"--resume", folder_ / "run"}).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/fold_0/last/state.safetensors.7-0.tmp"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/metrics.csv.7-0.tmp"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/notes.tmp"));
}

TEST_F(BadInput, AnsweringRefusesWhatItCannotDoBeforeTheWork) {
  ASSERT_EQ(run({}).exit_code, 0);
  const auto expect = [this](const Arguments& more, int exit_code, const std::string& text) {
    const Arguments network = {"--run", folder_ / "run"};
    const Arguments photos = {folder_ / "photos"};
    for (const Outcome& outcome :
         {predict(network + Arguments{"--images"} + photos + more),
          run_program("evaluate", network + Arguments{"--data"} + photos + more)}) {
      EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr(text));
      EXPECT_EQ(lines_of(outcome.output).size(), 1U) << outcome.output;
    }
  };
  const Arguments out = {"--out", folder_ / "a.csv"};
  expect(out + Arguments{"--threads", "1025"}, 2, "--threads: must lie between 0 and 1024");
  expect(out + Arguments{"--workers", "257"}, 2, "--workers: must lie between 1 and 256");
  expect(out + Arguments{"--batch-size", "9223372036854775807"}, 2, "--batch-size: must lie");
  expect({"--out", folder_ / "nowhere/a.csv"}, 1, "there is no folder");
  std::filesystem::create_directory(folder_ / "b.csv");
  expect({"--out", folder_ / "b.csv"}, 1, "it is a folder");
}

TEST_F(BadInput, AnswersGoWhereALinkLeads) {
  ASSERT_EQ(run({}).exit_code, 0);
  std::filesystem::create_directory(folder_ / "disk");
  write_text(folder_ / "disk/answers.csv", "old");
  std::filesystem::create_symlink(folder_ / "disk/answers.csv", folder_ / "link.csv");
  const Outcome outcome = predict(
      {"--run", folder_ / "run", "--images", folder_ / "photos", "--out", folder_ / "link.csv"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link.csv"));
  EXPECT_THAT(read_text(folder_ / "disk/answers.csv"), HasSubstr("path,label"));
}

TEST_F(BadInput, AnUnreadableImageIsSkippedCountedAndListed) {
  PhotoOptions more;
  more.members = 40;
  draw_photos(folder_ / "photos", more);
  write_text(folder_ / "photos/class1/photo07.png", "\x89PNG but not really");
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("1 unreadable image"), HasSubstr("class1/photo07.png")));
  const auto unreadable = read_json(folder_ / "run/summary.json").at("unreadable_images");
  ASSERT_EQ(unreadable.size(), 1U);
  EXPECT_EQ(unreadable[0].at("path"), "class1/photo07.png");
  // A resume still knows it.
  const std::string summary = read_text(folder_ / "run/summary.json");
  EXPECT_EQ(finetune({"--resume", folder_ / "run"}).exit_code, 0);
  EXPECT_EQ(read_text(folder_ / "run/summary.json"), summary);
  EXPECT_THAT(read_text(folder_ / "run/folds.csv"),
              ::testing::Not(HasSubstr("photo07.png,class1")));
}

TEST_F(BadInput, NonFiniteLossNamesTheBatch) {
  const Outcome outcome = run({"--lr", "1e30", "--scheduler", "constant", "--optimizer", "sgd"});
  EXPECT_EQ(outcome.exit_code, 4) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("the loss is"), HasSubstr("class"), HasSubstr(".png")));
}

TEST_F(BadInput, DetectAnomalyNamesLayerOpAndStep) {
  const Outcome outcome = run({"--lr", "1e30", "--scheduler", "constant", "--optimizer", "sgd",
                               "--detect-anomaly", "--device", "cpu"});
  EXPECT_EQ(outcome.exit_code, 4) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(::testing::ContainsRegex(
                        "fold 0, epoch [0-9]+, step [0-9]+: [a-z0-9]+, (forward|backward)"),
                    HasSubstr("are not finite, the first is"), HasSubstr(".png")));
  const Outcome both = run({"--detect-anomaly", "--profile"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.output, HasSubstr("give one of them"));
}

TEST_F(BadInput, NoSpaceLeftKeepsTheOldFilesAndCanGoOn) {
  // A limit on file sizes makes the same write fail that a full disk would.
  Process process("finetune", command() + Arguments{"--data", folder_ / "photos"}, 20000);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("best.safetensors"), HasSubstr("--resume")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/fold_0/best.safetensors"));
  const Outcome resumed = finetune({"--resume", folder_ / "run"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.output;
}

TEST_F(BadInput, AFullDeviceIsToldByItsName) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  ASSERT_EQ(run({}).exit_code, 0);
  const Outcome outcome =
      predict({"--run", folder_ / "run", "--images", folder_ / "photos", "--out", "/dev/full"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace hanok::test
