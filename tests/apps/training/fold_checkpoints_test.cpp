// What a fold's checkpoint keeps, and where none is kept.
#include "hanok/apps/training/fold_checkpoints.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <string>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/fold.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using training::FoldJob;
using training::RunFolder;

class Checkpoints : public FoldTest {
 protected:
  FoldJob job_in(const RunFolder& folder, int fold = 0) {
    return {.options = options_,
            .data = data(),
            .reporter = reporter_,
            .fold = fold,
            .folder = &folder};
  }
};

TEST_F(Checkpoints, BringBackWeightsProgressAndTheBestEpoch) {
  options_.ema = 0.9;
  const RunFolder folder = RunFolder::create(folder_ / "run");
  Fold fold(job_in(folder));
  EXPECT_FALSE(fold.checkpoints.resumed());
  EXPECT_TRUE(fold.checkpoints.last_is_due());
  ASSERT_TRUE(fold.loop.run());

  Fold again(job_in(folder));
  EXPECT_TRUE(again.checkpoints.resumed());
  EXPECT_EQ(again.hash(), fold.hash());
  EXPECT_EQ(again.state.progress.step, fold.state.progress.step);
  EXPECT_EQ(again.state.progress.parts, 1);
  EXPECT_EQ(again.setup.optimizer->steps(), fold.setup.optimizer->steps());
  EXPECT_EQ(again.state.early_stopping.best_epoch(), fold.state.early_stopping.best_epoch());
  for (const auto& [name, tensor] : fold.state.best_weights) {
    EXPECT_EQ(again.state.best_weights.at(name).to_vector(), tensor.to_vector()) << name;
  }
}

/// Turns one bit of a file's byte.
void damage(const std::string& path, std::int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 4));
}

TEST_F(Checkpoints, ADamagedOneIsNamedAndTheOneBeforeIsUsed) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  std::string hash;
  {
    Fold fold(job_in(folder));
    fold.checkpoints.save_last(fold.state);
    hash = fold.hash();
    EXPECT_FALSE(training::exists(folder.previous(0)));
    ASSERT_TRUE(fold.loop.run());
    EXPECT_NE(fold.hash(), hash);
  }
  EXPECT_TRUE(training::exists(folder.previous(0)));
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(folder.last(0)));
  for (const std::int64_t at : {std::int64_t{20}, size / 2, size - 1}) {
    damage(folder.last(0), at);
    reporter_.text.clear();
    Fold again(job_in(folder));
    EXPECT_TRUE(again.checkpoints.resumed());
    EXPECT_THAT(reporter_.text, HasSubstr("warning: " + folder.last(0)));
    EXPECT_THAT(reporter_.text,
                HasSubstr("going on from the state before it, " + folder.previous(0)));
    damage(folder.last(0), at);
  }
}

TEST_F(Checkpoints, ADamagedOneNeverReplacesTheOneBefore) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  {
    Fold fold(job_in(folder));
    fold.checkpoints.save_last(fold.state);
    fold.checkpoints.save_last(fold.state);
  }
  damage(folder.last(0), 100);
  Fold again(job_in(folder));
  const std::string before = training::read_file(folder.previous(0));
  again.checkpoints.save_last(again.state);
  EXPECT_EQ(training::read_file(folder.previous(0)), before);
  EXPECT_NO_THROW(training::load_state(folder.last(0)));
}

TEST_F(Checkpoints, LeaveNothingBehindWhereOneCannotBeRenamed) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  Fold fold(job_in(folder));
  fold.checkpoints.save_last(fold.state);
  std::filesystem::create_directories(folder.previous(0) + "/in the way");
  EXPECT_THROW(fold.checkpoints.save_last(fold.state), IoError);
  EXPECT_FALSE(training::exists(folder.last(0) + ".tmp"));
  EXPECT_NO_THROW(training::load_state(folder.last(0)));
}

TEST_F(Checkpoints, AreFoundAfterAKillBetweenTheTwoRenames) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  Fold fold(job_in(folder));
  fold.checkpoints.save_last(fold.state);
  std::filesystem::rename(folder.last(0), folder.previous(0));
  EXPECT_TRUE(folder.holds_checkpoint());
  EXPECT_TRUE(Fold(job_in(folder)).checkpoints.resumed());
}

TEST_F(Checkpoints, AreRefusedWhereBothAreDamaged) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  Fold fold(job_in(folder));
  fold.checkpoints.save_last(fold.state);
  fold.checkpoints.save_last(fold.state);
  damage(folder.last(0), 100);
  damage(folder.previous(0), 100);
  try {
    Fold again(job_in(folder));
    FAIL() << "nothing can be read";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), StartsWith(folder.last(0)));
    EXPECT_THAT(error.what(), HasSubstr("\n  " + folder.previous(0)));
    EXPECT_THAT(error.what(),
                HasSubstr("to train fold 0 anew remove the folder " + folder.fold(0)));
  }
}

TEST_F(Checkpoints, OfTheBestEpochAreCheckedToo) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  {
    Fold fold(job_in(folder));
    ASSERT_TRUE(fold.loop.run());
  }
  damage(folder.best(0), 5000);
  EXPECT_THROW(Fold(job_in(folder)), FormatError);
  EXPECT_THROW(training::load_model(folder.best(0)), FormatError);
}

TEST_F(Checkpoints, OfAnotherFoldAreRejected) {
  const RunFolder folder = RunFolder::create(folder_ / "run");
  Fold fold(job_in(folder));
  fold.checkpoints.save_last(fold.state);
  std::filesystem::create_directories(folder.fold(1) + "/last");
  std::filesystem::copy(folder.last(0), folder.last(1));
  try {
    Fold other(job_in(folder, 1));
    FAIL() << "the checkpoint is of fold 0";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is the state of fold 0, expected fold 1"));
  }
}

/// Rewrites a fold's state as a version wrote it that did not record the parts.
void forget_parts(const std::string& path) {
  nn::State state = training::load_state(path);
  state.integers.erase("freezing_parts");
  training::save_state(path, state);
}

TEST_F(Checkpoints, OfOtherStagesOfGradualAreRejected) {
  options_.model = "mobilenet_v2";
  options_.mode = training::FreezingMode::Gradual;
  const RunFolder folder = RunFolder::create(folder_ / "run");
  Fold fold(job_in(folder));
  fold.checkpoints.save_last(fold.state);
  EXPECT_TRUE(Fold(job_in(folder)).checkpoints.resumed());
  forget_parts(folder.last(0));
  try {
    Fold other(job_in(folder));
    FAIL() << "the checkpoint was trained in three stages";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("trains mobilenet_v2 in 3 stages; this one has "
                                        "20, so it cannot be resumed"));
    EXPECT_THAT(error.what(), HasSubstr("--config " + folder.config() + " --out NEW"));
  }
}

TEST_F(Checkpoints, WithoutRecordedPartsGoOnWhereTheStagesAreTheSame) {
  const auto resumes = [this](const char* model, training::FreezingMode mode) {
    options_.model = model;
    options_.mode = mode;
    const RunFolder folder =
        RunFolder::create(folder_ / (std::string(model) + training::name_of(mode)));
    Fold fold(job_in(folder));
    fold.checkpoints.save_last(fold.state);
    forget_parts(folder.last(0));
    return Fold(job_in(folder)).checkpoints.resumed();
  };
  EXPECT_TRUE(resumes("resnet18", training::FreezingMode::Gradual));
  EXPECT_TRUE(resumes("lenet", training::FreezingMode::Gradual));
  EXPECT_TRUE(resumes("mlp", training::FreezingMode::Gradual));
  EXPECT_TRUE(resumes("mobilenet_v2", training::FreezingMode::Finetune));
  EXPECT_TRUE(resumes("mobilenet_v2", training::FreezingMode::FeatureExtraction));
}

TEST_F(Checkpoints, WithoutAFolderNothingIsWritten) {
  Fold fold(job());
  fold.checkpoints.save_last(fold.state);
  fold.checkpoints.save_best(fold.state);
  EXPECT_FALSE(Fold(job()).checkpoints.resumed());
}

}  // namespace
}  // namespace hanok::test
