// What can be known before the first step is reported before an image is decoded, a failed start
// leaves nothing, and one process at a time works in a run folder.
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "hanok/apps/experiment/experiment.h"
#include "hanok/apps/experiment/start_checks.h"
#include "hanok/apps/preflight/check.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "tests/apps/program.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

class Start : public ::testing::Test {
 protected:
  Start() { draw_photos(folder_ / "photos"); }

  Arguments command(const Arguments& more = {}) const {
    return Arguments{"--data",       folder_ / "photos",
                     "--model",      "lenet",
                     "--image-size", "32",
                     "--batch-size", "8",
                     "--folds",      "2",
                     "--fold",       "0"} +
           more;
  }
  Arguments into_run(const Arguments& more = {}) const {
    return command(Arguments{"--out", folder_ / "run"} + more);
  }
  /// A run of many epochs that has begun to train.
  std::unique_ptr<Process> long_run() const {
    auto process = std::make_unique<Process>(
        "finetune", into_run({"--weights", "none", "--epochs", "100000", "--patience", "0"}));
    // The checkpoint of an epoch is written after its line: the second line says that it is there.
    EXPECT_TRUE(process->wait_for_output("val loss", 2));
    return process;
  }
  /// Makes every image undecodable: whoever decodes them complains of that.
  void break_all_images() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "photos")) {
      if (entry.is_regular_file()) write_text(entry.path().string(), "no picture");
    }
  }
  /// Refused without a look at the images, and without a trace.
  void expect_refused(const Arguments& more, const std::string& text) {
    const Outcome outcome = finetune(into_run(more));
    EXPECT_THAT(outcome.exit_code, ::testing::AnyOf(1, 2)) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(text), Not(HasSubstr("cannot be read, more"))));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run")) << text;
  }

  TemporaryFolder folder_;
};

TEST_F(Start, WhatNeedsNoPixelsIsCheckedBeforeThem) {
  break_all_images();
  const std::string any = folder_ / "photos";
  mkfifo((folder_ / "pipe").c_str(), 0600);
  write_text(folder_ / "empty.pth", "");
  write_text(folder_ / "text.pth", "no weights at all");
  expect_refused({"--weights", any}, "--weights: " + any + ": cannot be read: it is a folder");
  expect_refused({"--weights", folder_ / "pipe"}, "it is not a regular file");
  expect_refused({"--weights", folder_ / "empty.pth"}, "it is empty");
  expect_refused({"--weights", folder_ / "text.pth"}, "text.pth");
  expect_refused({"--weights", folder_ / std::string(300, 'w')}, "File name too long");
  const Arguments none = {"--weights", "none"};
  expect_refused(none + Arguments{"--folds-file", any}, "--folds-file: " + any);
  expect_refused(none + Arguments{"--folds-file", folder_ / "nowhere.csv"}, "no such file");
  write_text(folder_ / "f.csv", "path,fold\nclass0/nobody.png,0\n");
  expect_refused(none + Arguments{"--folds-file", folder_ / "f.csv"}, "there is no such file");
  expect_refused(none + Arguments{"--group", any}, "--group: " + any + ": cannot be read");
  expect_refused(none + Arguments{"--group", folder_ / "nowhere.csv"}, "--group: ");
  write_text(folder_ / "g.csv", "path,group\nclass0/nobody.png,0\n");
  expect_refused(none + Arguments{"--group", folder_ / "g.csv"},
                 "g.csv:2: 'class0/nobody.png' is not in the data set");
  expect_refused(none + Arguments{"--augment", any}, "--augment: " + any);
  expect_refused(none + Arguments{"--augment", folder_ / "no.toml"}, "no such file");
  expect_refused(none + Arguments{"--freeze", "conv9"}, "conv9");
  expect_refused(none + Arguments{"--freeze", "*"}, "freezes everything");
  expect_refused(none + Arguments{"--hidden", "0"}, "--hidden");
}

TEST_F(Start, DataOfAWrongKindAreNamed) {
  const auto expect = [this](const std::string& data, const std::string& text) {
    const Outcome outcome =
        finetune({"--data", data, "--weights", "none", "--out", folder_ / "run"});
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("--data: " + data), HasSubstr(text)));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  };
  expect(folder_ / "photos/class0/photo00.png", "a single photograph (PNG)");
  write_text(folder_ / "photos.zip", "PK\x03\x04 and so on");
  expect(folder_ / "photos.zip", "a ZIP archive");
  write_text(folder_ / "none.csv", "");
  expect(folder_ / "none.csv", "is empty");
  expect("/dev/null", "is neither a folder nor a file");
  expect(folder_ / std::string(300, 'd'), "File name too long");
}

/// $TMPDIR has another value as long as this lives.
class TemporaryFolderIs {
 public:
  explicit TemporaryFolderIs(const std::string& value) {
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    setenv("TMPDIR", value.c_str(), 1);
  }
  ~TemporaryFolderIs() {
    if (before_) {
      setenv("TMPDIR", before_->c_str(), 1);
    } else {
      unsetenv("TMPDIR");
    }
  }
  TemporaryFolderIs(const TemporaryFolderIs&) = delete;
  TemporaryFolderIs& operator=(const TemporaryFolderIs&) = delete;

 private:
  std::optional<std::string> before_;
};

TEST_F(Start, TheTemporaryFolderIsCheckedWhereItIsNeeded) {
  break_all_images();
  training::Options options;
  options.data = folder_ / "photos";
  options.model = "lenet";
  options.image_size = 32;
  options.folds.number = 2;
  options.weights = training::parse_start_weights("none");
  options.cache_images = training::Caching::Yes;
  training::Options frozen = options;
  frozen.model = "resnet18";
  frozen.cache_images = training::Caching::No;
  frozen.mode = training::FreezingMode::FeatureExtraction;
  frozen.augment = training::parse_augment("none");
  training::Options baselines = options;
  baselines.baselines = true;
  RecordingReporter reporter;
  const TemporaryFolderIs nowhere(folder_ / "nowhere");
  const auto expect = [](const auto& job) {
    try {
      job();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("TMPDIR"), HasSubstr("nowhere")));
    }
  };
  expect([&] { training::check_recipe(options, reporter); });
  expect([&] { training::plan_run(options, reporter); });
  expect([&] { training::dry_run(frozen, reporter); });
  expect([&] { training::start_run(baselines, folder_ / "run", reporter); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(Start, ATextWithNulIsRefused) {
  write_text(folder_ / "c.toml", "data = \"" + (folder_ / "photos") + "\\u0000more\"\n");
  const Outcome outcome =
      finetune({"--config", folder_ / "c.toml", "--weights", "none", "--out", folder_ / "run"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("NUL"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(Start, ADiskThatIsTooSmallIsReportedWithTheNumbers) {
  const training::DiskNeed much{.checkpoints = std::int64_t{1} << 60, .image_cache = 5 << 20};
  try {
    training::check_room(folder_.path(), much);
    ADD_FAILURE() << "there is no such disk";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--out: " + folder_.path()),
                                    HasSubstr("1073741824 GiB of weights and optimiser state"),
                                    HasSubstr("5 MiB of images"), HasSubstr("its disk, at /")));
  }
  EXPECT_THAT(training::check_room(folder_.path(), {.checkpoints = 1000, .image_cache = 0}),
              AllOf(HasSubstr("1 MiB of weights"), HasSubstr("its disk, at /"), HasSubstr("left")));
}

TEST_F(Start, WhatARunWritesIsKnownBeforehand) {
  training::Options options;
  options.model = "lenet";
  options.image_size = 32;
  options.folds.number = 3;
  data::Dataset dataset;
  dataset.class_names = {"a", "b"};
  dataset.samples.resize(100);
  constexpr std::int64_t kWeights = 4 * 61326;  // of LeNet for two classes
  const training::DiskNeed adam = training::disk_need(options, dataset);
  EXPECT_EQ(adam.checkpoints, 3 * (kWeights + 3 * kWeights) + 2 * 3 * kWeights);
  EXPECT_EQ(adam.image_cache, 0);
  options.optimizer = training::OptimizerKind::Sgd;
  options.fold = 1;
  options.cache_images = training::Caching::Yes;
  options.image_budget = 0;
  const training::DiskNeed sgd = training::disk_need(options, dataset);
  EXPECT_EQ(sgd.checkpoints, (kWeights + 2 * kWeights) + 2 * 2 * kWeights);
  EXPECT_EQ(sgd.image_cache, 100 * 3 * 32 * 32);
}

TEST_F(Start, AWriteThatFailsInTheMiddleLeavesNothing) {
  // A limit on file sizes makes the same write fail that a full disk would.
  Process process("finetune", into_run({"--weights", "none"}), 500);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("folds.csv"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  const Outcome again = finetune(into_run({"--weights", "none", "--epochs", "1"}));
  EXPECT_EQ(again.exit_code, 0) << again.output;
}

TEST_F(Start, ALossThatIsNotFiniteBeforeAnyCheckpointLeavesTheNameFree) {
  const Arguments more = {"--weights",   "none",     "--epochs",    "1",
                          "--scheduler", "constant", "--optimizer", "sgd"};
  EXPECT_EQ(finetune(into_run(more + Arguments{"--lr", "1e30"})).exit_code, 4);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  const Outcome again = finetune(into_run(more + Arguments{"--lr", "1e-3"}));
  EXPECT_EQ(again.exit_code, 0) << again.output;
}

TEST_F(Start, AFailedDemonstrationCanBeRepeated) {
  const Arguments demo = {
      "--demo",       "--people", "6",        "--out", folder_ / "run", "--model", "lenet",
      "--image-size", "32",       "--epochs", "1"};
  EXPECT_EQ(finetune(demo + Arguments{"--freeze", "conv9"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  const Outcome again = finetune(demo);
  EXPECT_EQ(again.exit_code, 0) << again.output;
}

TEST_F(Start, SyntheticFacesAreWrittenWholeOrNotAtAll) {
  const Arguments faces = {"--write-synthetic", folder_ / "faces", "--people", "6"};
  Process process("finetune", faces, 500);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("faces/train"), HasSubstr("File too large")));
  EXPECT_EQ(finetune(faces).exit_code, 0);
}

TEST_F(Start, ARunAmongItsDataIsNoClass) {
  const std::string run = folder_ / "photos/run";
  const Arguments more = {"--weights", "none", "--epochs", "1", "--out"};
  const Outcome first = finetune(command(more + Arguments{run}));
  EXPECT_EQ(first.exit_code, 0) << first.output;
  EXPECT_EQ(finetune({"--resume", run}).exit_code, 0);
  // As a start that was killed leaves it.
  std::filesystem::create_directory(folder_ / "photos/killed");
  write_text(folder_ / "photos/killed/run.lock", "process 1\nhost h\n");
  const Outcome second = finetune(command(more + Arguments{folder_ / "photos/second"}));
  EXPECT_EQ(second.exit_code, 0) << second.output;
  EXPECT_EQ(read_json(folder_ / "photos/second/summary.json").at("class_names").size(), 3U);
}

TEST_F(Start, ConvertChecksItsOutputFirst) {
  write_text(folder_ / "broken.safetensors", "no weights");
  const auto expect = [this](const std::string& out, const std::string& text) {
    const Outcome outcome = run_program("convert", {folder_ / "broken.safetensors", out});
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, HasSubstr(text));
  };
  expect(folder_ / "nowhere/a.safetensors", "there is no folder");
  expect(folder_ / "photos/../broken.safetensors", "is the file to read");
  EXPECT_EQ(read_text(folder_ / "broken.safetensors"), "no weights");
}

TEST_F(Start, TheFolderOfTheDataIsNoRunFolder) {
  const Outcome outcome =
      finetune(command({"--weights", "none", "--epochs", "1", "--out", folder_ / "photos"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("is the folder of the data"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "photos/config.toml"));
}

TEST_F(Start, ADamagedFileOfARunIsNamedInWords) {
  ASSERT_EQ(finetune(into_run({"--weights", "none", "--epochs", "1"})).exit_code, 0);
  for (const std::string file : {"metrics.jsonl", "fold_0/result.json"}) {
    const std::string path = folder_ / ("run/" + file);
    const std::string whole = read_text(path);
    write_text(path, whole.substr(0, whole.size() / 2));
    const Outcome outcome = finetune({"--resume", folder_ / "run"});
    EXPECT_EQ(outcome.exit_code, 1) << file;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(file), HasSubstr("is damaged: not whole JSON")));
    EXPECT_THAT(outcome.output, Not(HasSubstr("exception")));
    write_text(path, whole);
  }
}

TEST_F(Start, AnswersThatAreNoNumbersAreAnError) {
  ASSERT_EQ(finetune(into_run({"--weights", "none", "--epochs", "1"})).exit_code, 0);
  const std::string best = folder_ / "run/fold_0/best.safetensors";
  const weights::WeightFile file = weights::load(best);
  nn::StateDict damaged;
  for (const auto& [name, tensor] : file.tensors) {
    const bool real = tensor.dtype() == DType::F32;
    damaged.insert(name, real ? Tensor::full(tensor.shape(), std::nanf("")) : tensor);
  }
  weights::save_safetensors(best, damaged, file.metadata, weights::Checksum::Yes);
  const Outcome outcome = predict(
      {"--run", folder_ / "run", "--images", folder_ / "photos", "--out", folder_ / "a.csv"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("predictions are not numbers (NaN)"));
}

TEST_F(Start, NothingOfTheUsersIsOverwritten) {
  ASSERT_EQ(finetune(into_run({"--weights", "none", "--epochs", "1"})).exit_code, 0);
  std::filesystem::create_directory(folder_ / "mine");
  std::filesystem::copy_file(folder_ / "run/folds.csv", folder_ / "mine/folds.csv");
  const std::string before = read_text(folder_ / "mine/folds.csv");
  const Outcome outcome = finetune(command({"--weights", "none", "--out", folder_ / "mine",
                                            "--folds-file", folder_ / "mine/folds.csv"}));
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("folds.csv"), HasSubstr("would overwrite")));
  EXPECT_EQ(read_text(folder_ / "mine/folds.csv"), before);
}

TEST_F(Start, ALivingRunKeepsOthersOut) {
  const std::unique_ptr<Process> living = long_run();
  const std::string config = read_text(folder_ / "run/config.toml");
  for (const Arguments& second :
       {Arguments{"--resume", folder_ / "run"}, into_run({"--weights", "none", "--seed", "9"})}) {
    const Outcome outcome = finetune(second);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.output,
                AllOf(HasSubstr("process " + std::to_string(living->pid())), HasSubstr("at work")));
  }
  EXPECT_EQ(read_text(folder_ / "run/config.toml"), config);
  for (const Outcome& outcome :
       {predict(
            {"--run", folder_ / "run", "--images", folder_ / "photos", "--out", folder_ / "a.csv"}),
        run_program("evaluate", {"--run", folder_ / "run", "--data", folder_ / "photos"})}) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("is still being trained"));
  }
  living->send(SIGKILL);
  living->wait();
  const std::string resume = folder_ / "run";
  Process resumed("finetune", {"--resume", resume});
  EXPECT_TRUE(resumed.wait_for_output("val loss", 1));
  resumed.send(SIGINT);
  EXPECT_EQ(resumed.wait().exit_code, 3);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run/run.lock"));
}

TEST_F(Start, OfTwoAtTheSameMomentOneGetsTheFolder) {
  const Arguments both = into_run({"--weights", "none", "--epochs", "30", "--patience", "0"});
  Process first("finetune", both);
  Process second("finetune", both);
  const Outcome a = first.wait();
  const Outcome b = second.wait();
  EXPECT_EQ(std::min(a.exit_code, b.exit_code), 0) << a.output << b.output;
  EXPECT_EQ(std::max(a.exit_code, b.exit_code), 2) << a.output << b.output;
  EXPECT_EQ(lines_of(read_text(folder_ / "run/metrics.jsonl")).size(), 30U);
}

TEST_F(Start, AnUnreadableImageInAFixedTableOfFoldsIsLeftOut) {
  PhotoOptions photos;
  photos.members = 20;
  draw_photos(folder_ / "photos", photos);
  std::string table = "path,fold\n";
  for (int c = 0; c < photos.classes; ++c) {
    for (int i = 0; i < photos.members; ++i) {
      table += "class" + std::to_string(c) + "/photo" + (i < 10 ? "0" : "") + std::to_string(i) +
               ".png," + std::to_string(i % 2) + "\n";
    }
  }
  write_text(folder_ / "f.csv", table);
  write_text(folder_ / "photos/class1/photo03.png", "");
  const Arguments more = {"--weights", "none", "--epochs", "1", "--folds-file", folder_ / "f.csv"};
  const Outcome outcome = finetune(into_run(more));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("1 unreadable image"));
  // A run's own table lacks the unreadable one, and serves as well.
  const Outcome again =
      finetune(command({"--weights", "none", "--epochs", "1", "--out", folder_ / "again",
                        "--folds-file", folder_ / "run/folds.csv"}));
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(read_text(folder_ / "again/folds.csv"), read_text(folder_ / "run/folds.csv"));
  // One that lacks a readable image does not.
  write_text(folder_ / "f.csv", table.substr(0, table.rfind("class2")));
  const Outcome lacking = finetune(command(
      {"--weights", "none", "--out", folder_ / "third", "--folds-file", folder_ / "f.csv"}));
  EXPECT_EQ(lacking.exit_code, 1);
  EXPECT_THAT(lacking.output, HasSubstr("1 of 60 samples have no fold"));
}

}  // namespace
}  // namespace hanok::test
