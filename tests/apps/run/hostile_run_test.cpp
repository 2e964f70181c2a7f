// Run folders, checkpoints and lists of images that somebody else made, to take all time or memory
// or to have files read and written that were not named.
#include <filesystem>
#include <gmock/gmock.h>

#include "hanok/apps/options/augmentation_toml.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/prediction/image_list.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run_report/run_record.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "tests/apps/program.h"
#include "tests/support/bounded.h"

namespace hanok::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

template <typename Act>
std::string refusal(const Act& act) {
  std::string message = "nothing was thrown";
  expect_bounded([&] {
    try {
      act();
    } catch (const Error& error) {
      message = error.what();
    }
  });
  return message;
}

/// A run of two classes and two folds as files alone.
class HostileRun : public testing::Test {
 protected:
  HostileRun() {
    write("config.toml", config());
    write("folds.csv", kFolds + "cat/1.png,cat,a,0,1\ndog/1.png,dog,b,1,1\n");
    write("fold_0/predictions.csv",
          "path,label,prediction,correct,cat,dog\ncat/1.png,cat,cat,1,0.75,0.25\n");
    write("fold_0/result.json", result("[[1,0],[0,0]]"));
  }

  static std::string config(const std::string& folds = "2", const std::string& more = "") {
    return "fold = \"all\"\ndata = \"/nowhere\"\n[recorded]\nlayout = \"folder\"\n"
           "classes = [\"cat\", \"dog\"]\ngrouped = false\nfolds = " +
           folds + "\n" + more;
  }
  static std::string result(const std::string& matrix) {
    return R"({"fold":0,"best_epoch":1,"epochs":1,"steps":2,"val_loss":0.5,"subsets":{},)"
           R"("majority_macro_f1":0.3,"weights_hash":"a","last_weights_hash":"b","seconds":1,)"
           R"("training_seconds":1,"images_trained":2,"peak_memory_bytes":1,"confusion_matrix":)" +
           matrix + "}";
  }

  void write(const std::string& name, const std::string& content) const {
    const std::filesystem::path file = folder_ / ("run/" + name);
    std::filesystem::create_directories(file.parent_path());
    write_text(file.string(), content);
  }
  std::string run() const { return folder_ / "run"; }
  std::string refused() const {
    return refusal([&] { run_report::read_run(run()); });
  }

  const std::string kFolds = "path,label,group,fold,bytes\n";
  TemporaryFolder folder_;
};

TEST_F(HostileRun, IsReadWhereNothingIsWrong) {
  EXPECT_EQ(run_report::read_run(run()).predictions.size(), 1U);
}

TEST_F(HostileRun, NamesTheFileThatNamesNoData) {
  write("config.toml", "");
  EXPECT_THAT(refused(), HasSubstr("folds.csv: the run's config.toml names no data"));
}

TEST_F(HostileRun, NoPathLeavesTheDataFolder) {
  for (const char* path : {"../secret.png", "/etc/secret.png", "a/../../secret.png"}) {
    write("folds.csv", kFolds + path + ",cat,a,0,1\ndog/1.png,dog,b,1,1\n");
    EXPECT_THAT(refused(), AllOf(StartsWith(run()), HasSubstr("folds.csv:2: path '"))) << path;
  }
  write("config.toml", config("2", "data_in_run = \"../..\"\n"));
  EXPECT_THAT(refused(), HasSubstr("data_in_run: path '../..' leaves"));
}

TEST_F(HostileRun, NoLinkLeavesTheRunFolder) {
  write_text(folder_ / "mine.txt", "mine");
  for (const char* name : {"report.html", "summary.json", "fold_0/best.safetensors", "fold_1",
                           "fold_0/last/state.safetensors"}) {
    const std::filesystem::path link = std::filesystem::path(run()) / name;
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::create_symlink(folder_ / "mine.txt", link);
    EXPECT_THAT(refused(), AllOf(StartsWith(link.string()), HasSubstr("leads out"))) << name;
    std::filesystem::remove(link);
  }
  // Nor through several of them, or to what does not exist yet.
  std::filesystem::create_symlink("fold_0/next", std::filesystem::path(run()) / "report.html");
  std::filesystem::create_symlink("../../new", std::filesystem::path(run()) / "fold_0/next");
  EXPECT_THAT(refused(), HasSubstr("leads out"));
  std::filesystem::remove(std::filesystem::path(run()) / "fold_0/next");
  EXPECT_THAT(refused(), Not(HasSubstr("leads out")));  // stays inside
  EXPECT_EQ(read_text(folder_ / "mine.txt"), "mine");
}

TEST_F(HostileRun, NumbersThatWouldTakeAllMemory) {
  write("config.toml", config("2147483647"));
  EXPECT_THAT(refused(), HasSubstr("2147483647 folds, at most 10000 are read"));
  write("config.toml", config());
  write("folds.csv", kFolds + "cat/1.png,cat,a,4294967296,1\n");
  EXPECT_THAT(refused(), HasSubstr("folds.csv:2: fold 4294967296, at most 10000"));
}

TEST_F(HostileRun, MatricesThatWouldTakeAllMemory) {
  std::string zeros = "[0";
  for (int i = 0; i < 300'000; ++i) zeros += ",0";
  for (const std::string& matrix : {std::string(R"({"classes":1000000000,"counts":[]})"),
                                    zeros + "]", std::string(R"({"classes":-1,"counts":[]})"),
                                    std::string("[[1],[1,2]]"), std::string("[]")}) {
    write("fold_0/result.json", result(matrix));
    EXPECT_THAT(refused(), HasSubstr("result.json: ")) << matrix.substr(0, 40);
  }
}

TEST_F(HostileRun, DeepJsonAndToml) {
  const std::string deep(400'000, '[');
  for (const char* name : {"fold_0/result.json", "metrics.jsonl"}) {
    write(name, deep);
    EXPECT_THAT(refused(), HasSubstr("damaged")) << name;
    write(name, deep + std::string(deep.size(), ']'));
    EXPECT_THAT(refused(), HasSubstr("damaged")) << name;
    std::filesystem::remove(folder_ / ("run/" + std::string(name)));
  }
  for (const std::string& text : {"a = " + deep, "a" + std::string(400'000, '.') + "b = 1",
                                  "a = " + std::string(100'000, '{')}) {
    write("config.toml", text);
    EXPECT_THAT(refused(), HasSubstr("config.toml: "));
    EXPECT_THAT(refusal([&] { training::read_augmentation(folder_ / "run/config.toml"); }),
                HasSubstr("config.toml: "));
  }
}

TEST_F(HostileRun, AFileWithoutAnEnd) {
  if (!std::filesystem::exists("/dev/zero")) GTEST_SKIP() << "this system has no /dev/zero";
  EXPECT_THAT(refusal([] { training::read_file("/dev/zero"); }),
              HasSubstr("a pipe or device of more than"));
  write("config.toml", "augment = \"/dev/zero\"\n");
  EXPECT_THAT(refused(), HasSubstr("a pipe or device of more than"));
}

TEST_F(HostileRun, ACardOfMoreThanTheFileHolds) {
  const std::string path = folder_ / "model.safetensors";
  nn::StateDict tensors;
  tensors.insert("fc.weight", Tensor::zeros({2, 4}));
  const auto refused_card = [&](const training::ModelCard& card) {
    weights::save_safetensors(path, tensors, training::to_metadata(card));
    return refusal([&] { training::load_model(path); });
  };
  training::ModelCard card{.model = "resnet18", .class_names = {"cat", "dog"}, .preprocessing = {}};
  card.hidden = {1'000'000'000'000};
  EXPECT_THAT(refused_card(card), HasSubstr("a layer of 1000000000000 units"));
  card.hidden = {8, 8};
  EXPECT_THAT(refused_card(card), HasSubstr("a layer of 8 units, but its tensors have 8 values"));
  card.hidden = {-1};
  EXPECT_THAT(refused_card(card), HasSubstr("a layer of -1 units"));
  card.hidden = {};
  card.preprocessing.image_size = 1'000'000'000;
  EXPECT_THAT(refused_card(card), HasSubstr("images of 1000000000 pixels"));
  card.model = "lenet";
  card.preprocessing.image_size = 8000;
  EXPECT_THAT(refused_card(card),
              HasSubstr("images of 8000 pixels, but its tensors have 8 values"));
}

TEST_F(HostileRun, AListOfImagesDoesNotLeaveItsFolder) {
  write_text(folder_ / "list.csv", "ImageID\nok.png\n../secret.png\n");
  EXPECT_THAT(refusal([&] { training::list_images({folder_ / "list.csv"}); }),
              HasSubstr("list.csv:3: path '../secret.png' leaves the data folder"));
  write_text(folder_ / "list.csv", "ImageID\n/etc/secret.png\n");
  EXPECT_THAT(refusal([&] { training::list_images({folder_ / "list.csv"}); }),
              HasSubstr("list.csv:2: path '/etc/secret.png' is absolute"));
}

}  // namespace
}  // namespace hanok::test
