// Folders that are a split (train/, val/, test/), not classes.
#include "hanok/data/layouts/split_folders.h"

#include <gmock/gmock.h>

#include "hanok/data/dataset.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::TempFolder;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

void write(const TempFolder& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) folder.write(name, std::string("image"));
}

std::string error_of(const TempFolder& folder) {
  return message_of<ValueError>([&] { load_image_folder(folder.path()); });
}

TEST(SplitFolders, NamesInAnyLetterCase) {
  for (const char* name :
       {"train", "Train", "TRAINING", "train_set", "train2017", "training-data"}) {
    EXPECT_EQ(split_of_name(name), "train") << name;
  }
  for (const char* name : {"val", "Valid", "validation", "eval", "DEV", "val2017"}) {
    EXPECT_EQ(split_of_name(name), "val") << name;
  }
  for (const char* name : {"test", "Testing", "test_set"})
    EXPECT_EQ(split_of_name(name), "test") << name;
  for (const char* name :
       {"trains", "attest", "contest", "valve", "devil", "set", "2017", "data", ""}) {
    EXPECT_EQ(split_of_name(name), "") << name;
  }
}

TEST(SplitFolders, TrainAndValAreASplitAndTestIsLeftOut) {
  const TempFolder folder;
  write(folder, {"Train/cat/1.png", "Train/cat/2.png", "Train/dog/3.png", "valid/dog/4.png",
                 "valid/cat/5.png", "test/cat/6.png", "test/zebra/7.png"});
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  EXPECT_TRUE(dataset.has_split());
  EXPECT_EQ(dataset.split_folders.train, "Train");
  EXPECT_EQ(dataset.split_folders.val, "valid");
  EXPECT_EQ(dataset.split_folders.test, "test");
  std::vector<std::string> seen;
  for (const Sample& sample : dataset.samples) {
    seen.push_back(sample.path + (sample.split == Split::Train ? " t " : " v ") +
                   std::to_string(sample.label));
  }
  EXPECT_THAT(seen, ElementsAre("Train/cat/1.png t 0", "Train/cat/2.png t 0", "Train/dog/3.png t 1",
                                "valid/cat/5.png v 0", "valid/dog/4.png v 1"));
  EXPECT_THAT(dataset.notes,
              Contains(HasSubstr("evaluate --run RUN --data " + folder.path() + "/test")));
}

TEST(SplitFolders, TrainAloneIsCutIntoFolds) {
  for (const bool with_test : {false, true}) {
    const TempFolder folder;
    write(folder, {"train/cat/1.png", "train/dog/2.png"});
    if (with_test) write(folder, {"test/3.png"});
    const Dataset dataset = load_dataset(folder.path());
    EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
    EXPECT_FALSE(dataset.has_split());
    EXPECT_EQ(dataset.samples.size(), 2U);
    EXPECT_EQ(dataset.samples[0].split, Split::None);
    // Without class folders there is nothing to score: predict.
    if (with_test) {
      EXPECT_THAT(dataset.notes, Contains(HasSubstr("predict --run RUN ")));
    }
  }
}

TEST(SplitFolders, ClassesOfValMustBeTrains) {
  const TempFolder folder;
  write(folder, {"train/cat/1.png", "train/dog/2.png", "val/Cat/3.png"});
  EXPECT_THAT(error_of(folder),
              HasSubstr("val has the class 'Cat', which train has not (it has 'cat')"));
  const TempFolder fewer;
  write(fewer, {"train/cat/1.png", "train/dog/2.png", "val/cat/3.png"});
  EXPECT_THAT(load_image_folder(fewer.path()).warnings,
              Contains(HasSubstr("val has no images of 'dog'")));
}

TEST(SplitFolders, SplitsWithoutClassesOrWithoutTrainingAreRefused) {
  const TempFolder flat;
  write(flat, {"train/1.png", "val/2.png", "test/3.png"});
  EXPECT_THAT(error_of(flat), AllOf(HasSubstr("no class folders"), HasSubstr("labels.csv")));
  const TempFolder tests;
  write(tests, {"val/cat/1.png", "val/dog/1.png", "test/cat/1.png"});
  EXPECT_THAT(error_of(tests), AllOf(HasSubstr("no training images"), HasSubstr("--data")));
  const TempFolder half;
  write(half, {"train/cat/1.png", "train/dog/1.png", "val/1.png"});
  EXPECT_THAT(error_of(half), HasSubstr("'val' holds images but no class folders"));
  const TempFolder twice;
  write(twice, {"train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "dev/dog/1.png"});
  EXPECT_THAT(error_of(twice), HasSubstr("'dev', 'val' could each hold the val images"));
}

TEST(SplitFolders, FoldersBesideTheSplitsAreNamed) {
  const TempFolder folder;
  write(folder, {"train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dog/1.png",
                 "sketches/1.png", "docs/readme.txt"});
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_TRUE(dataset.has_split());
  EXPECT_THAT(dataset.warnings,
              ElementsAre(HasSubstr("'sketches' beside 'train', 'val' is no split")));
}

TEST(SplitFolders, ArchivesThatNestAndNamesWithMoreWordsAreRead) {
  const TempFolder nested;
  write(nested, {"seg_train/seg_train/cat/1.png", "seg_train/seg_train/dog/1.png",
                 "seg_test/seg_test/cat/2.png", "seg_test/seg_test/dog/2.png", "seg_pred/3.png"});
  const Dataset dataset = load_image_folder(nested.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  EXPECT_EQ(dataset.samples[0].path, "seg_train/seg_train/cat/1.png");
  EXPECT_EQ(dataset.split_folders.test, "seg_test/seg_test");
  for (const auto& [train, other] :
       {std::pair("01_train", "02_val"), std::pair("train", "extra"), std::pair("trainval", "test"),
        std::pair("x_train", "x_test")}) {
    const TempFolder folder;
    for (const std::string part : {train, other})
      write(folder, {part + "/a/1.png", part + "/b/1.png"});
    EXPECT_THAT(load_image_folder(folder.path()).class_names, ElementsAre("a", "b")) << train;
  }
}

TEST(SplitFolders, ClassesMayContainASplitsName) {
  const TempFolder folder;
  write(folder, {"test_negative/1.png", "test_positive/1.png"});
  EXPECT_THAT(load_image_folder(folder.path()).class_names,
              ElementsAre("test_negative", "test_positive"));
}

TEST(SplitFolders, ATableBesideThemNeedsADecision) {
  const TempFolder folder;
  write(folder, {"train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png"});
  folder.write("labels.csv", "path,label\ntrain/cat/1.png,cat\ntest/dog/1.png,dog\n");
  EXPECT_THAT(message_of<ValueError>([&] { load_dataset(folder.path()); }),
              AllOf(HasSubstr("--layout folder"), HasSubstr("--layout csv")));
  EXPECT_EQ(load_dataset(folder.path(), {.layout = "csv"}).samples.size(), 2U);
}

TEST(SplitFolders, AClassMayBeCalledTrain) {
  const TempFolder folder;
  write(folder, {"bus/1.png", "train/1.png", "car/1.png"});
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("bus", "car", "train"));
  EXPECT_THAT(dataset.warnings, ElementsAre(HasSubstr("'train' is learned as a class")));
  EXPECT_THAT(dataset.notes, IsEmpty());
}

TEST(SplitFolders, ASplitBesideItsClassesIsRefused) {
  const TempFolder folder;
  write(folder, {"cat/1.png", "dog/1.png", "test/cat/1.png", "test/dog/1.png"});
  EXPECT_THAT(error_of(folder), HasSubstr("'test' holds a folder 'cat'"));
}

TEST(SplitFolders, ClassesThatHoldSplitsAreTold) {
  const TempFolder folder;
  write(folder, {"cat/train/1.png", "cat/test/2.png", "dog/train/1.png", "dog/test/2.png"});
  EXPECT_THAT(load_image_folder(folder.path()).warnings,
              ElementsAre(HasSubstr("every class holds folders of the same names (test, train)")));
  const TempFolder other;
  write(other, {"cat/a/1.png", "cat/b/2.png", "dog/a/1.png", "dog/c/2.png"});
  EXPECT_THAT(load_image_folder(other.path()).warnings, IsEmpty());
}

TEST(SplitFolders, GroupsInBothPartsAreCounted) {
  const TempFolder folder;
  write(folder,
        {"train/cat/tom_1.png", "train/cat/rex_1.png", "train/dog/ben_1.png", "train/dog/zoe_1.png",
         "val/cat/tom_2.png", "val/dog/ben_2.png", "val/dog/max_1.png"});
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_THAT(groups_across_split(dataset),
              AllOf(HasSubstr("2 groups are in both train and val"), HasSubstr("'ben'"),
                    HasSubstr("train/dog/ben_1.png"), HasSubstr("val/dog/ben_2.png")));
  const TempFolder apart;
  write(apart, {"train/cat/tom_1.png", "train/cat/tom_2.png", "train/dog/a.png", "val/cat/b.png",
                "val/dog/c.png"});
  EXPECT_EQ(groups_across_split(load_image_folder(apart.path())), "");
}

TEST(SplitFolders, ANestedSplitIsReadAsOneThatIsNot) {
  // Beside a folder that only contains a split's name.
  TempFolder plain, nested;
  write(plain, {"train/cat/1.png", "train/dog/2.png", "blood_test/3.png"});
  write(nested, {"train/train/cat/1.png", "train/train/dog/2.png", "blood_test/3.png"});
  const Dataset a = load_image_folder(plain.path()), b = load_image_folder(nested.path());
  EXPECT_EQ(a.class_names, b.class_names);
  ASSERT_EQ(a.warnings.size(), b.warnings.size());
  EXPECT_THAT(b.warnings, Contains(HasSubstr("is learned as a class")));
}

}  // namespace
}  // namespace hanok::data
