// The layouts on disk, including the irregularities of real data sets.
#include <algorithm>
#include <gmock/gmock.h>
#include <set>

#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"
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
using testing::Key;
using testing::Pair;

std::vector<std::string> paths(const Dataset& dataset) {
  std::vector<std::string> result;
  for (const Sample& sample : dataset.samples) result.push_back(sample.path);
  return result;
}

std::vector<std::string> groups(const Dataset& dataset) {
  std::vector<std::string> result;
  for (const Sample& sample : dataset.samples) result.push_back(sample.group);
  return result;
}

TEST(ImageFolder, ListsClassesAndFilesInByteOrder) {
  const TempFolder folder;
  for (const char* name : {"b/2.JPG", "b/1.png", "b/deep/er/0.jpeg", "a/x.jpg", "B/y.jpg"}) {
    folder.write(name, std::string("image"));
  }
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_EQ(dataset.layout, "folder");
  EXPECT_THAT(dataset.class_names, ElementsAre("B", "a", "b"));
  EXPECT_THAT(paths(dataset),
              ElementsAre("B/y.jpg", "a/x.jpg", "b/1.png", "b/2.JPG", "b/deep/er/0.jpeg"));
  EXPECT_THAT(dataset.class_counts(), ElementsAre(1, 1, 3));
  EXPECT_EQ(dataset.full_path(1), folder.path() + "/a/x.jpg");
  EXPECT_EQ(groups(dataset), paths(dataset));
  EXPECT_FALSE(dataset.has_groups);
  EXPECT_THAT(dataset.skipped, IsEmpty());
}

TEST(ImageFolder, CountsWhatItPassesOver) {
  const TempFolder folder;
  for (const char* name :
       {"a/1.jpg", "a/._1.jpg", "a/.DS_Store", "a/.hidden.png", "a/Thumbs.db", "a/notes.txt",
        "a/clip.mp4", "a/noextension", "b/2.png", "b/.trash/3.png", ".DS_Store", "readme.md",
        ".git/4.jpg", "__MACOSX/a/5.jpg"}) {
    folder.write(name, std::string("image"));
  }
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_THAT(paths(dataset), ElementsAre("a/1.jpg", "b/2.png"));
  const auto count = [&](const std::string& part) {
    std::int64_t sum = 0;
    for (const auto& [reason, n] : dataset.skipped) {
      if (reason.find(part) != std::string::npos) sum += n;
    }
    return sum;
  };
  EXPECT_EQ(count("AppleDouble"), 1);
  EXPECT_EQ(count(".DS_Store"), 2);
  EXPECT_EQ(count("hidden"), 3);
  EXPECT_EQ(count("Thumbs.db"), 1);
  EXPECT_EQ(count(".txt"), 1);
  EXPECT_EQ(count(".mp4"), 1);
  EXPECT_EQ(count("no extension"), 1);
  EXPECT_EQ(count("__MACOSX"), 1);
  EXPECT_EQ(count("outside the class folders"), 1);
}

TEST(ImageFolder, LinksInACircleEnd) {
  const TempFolder folder;
  folder.write("a/1.jpg", std::string("image"));
  folder.write("b/2.jpg", std::string("image"));
  test::fs::create_directory_symlink("..", folder.path() + "/a/up");
  test::fs::create_directory_symlink("../a", folder.path() + "/b/other");
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_THAT(paths(dataset), Contains("b/other/1.jpg"));
  EXPECT_THAT(dataset.skipped, Contains(Key(HasSubstr("parent folders"))));
}

TEST(ImageFolder, CropsOfOnePhotographAreOneGroupAcrossClasses) {
  const TempFolder folder;
  for (const char* name : {"a/p818_00.jpg", "a/p818_01.jpg", "a/q_00.jpg", "a/alone.jpg",
                           "b/p818_02.jpg", "b/r_x_0.jpg", "b/_1.jpg", "b/_2.jpg"}) {
    folder.write(name, std::string("image"));
  }
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_TRUE(dataset.has_groups);
  EXPECT_THAT(groups(dataset), ElementsAre("a/alone.jpg", "p818", "p818", "a/q_00.jpg", "b/_1.jpg",
                                           "b/_2.jpg", "p818", "b/r_x_0.jpg"));
}

TEST(ImageFolder, NamesThatOnlyNumberFilesMakeNoGroups) {
  const TempFolder folder;
  for (int i = 0; i < 25; ++i) {
    folder.write("cat/cat_" + std::to_string(i) + ".jpg", std::string("image"));
    folder.write("dog/p" + std::to_string(i / 2) + "_" + std::to_string(i) + ".jpg",
                 std::string("image"));
  }
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_FALSE(dataset.has_groups);
  EXPECT_EQ(groups(dataset), paths(dataset));
  EXPECT_THAT(dataset.warnings, ElementsAre(HasSubstr("'cat_...' number the files of a class")));
}

TEST(ImageFolder, ErrorsSayWhatIsMissing) {
  EXPECT_THAT(message_of<IoError>([] { load_image_folder("/nowhere/at/all"); }),
              HasSubstr("/nowhere/at/all: no such folder"));
  const TempFolder folder;
  EXPECT_THAT(message_of<ValueError>([&] { load_image_folder(folder.path()); }),
              HasSubstr("0 class folders, at least two"));
  folder.write("a/1.jpg", std::string("image"));
  EXPECT_THAT(message_of<ValueError>([&] { load_image_folder(folder.path()); }),
              HasSubstr("1 class folder, at least two"));
  folder.write("b/notes.txt", std::string("text"));
  EXPECT_THAT(message_of<ValueError>([&] { load_image_folder(folder.path()); }),
              HasSubstr("class 'b' has no image"));
}

/// Writes train.csv and the seven photographs of each person.
void write_people(const TempFolder& folder, const std::string& below, const std::string& rows) {
  const std::string path = folder.write(below + "train.csv", "id,gender,race,age,path\n" + rows);
  for (const std::vector<std::string>& row : read_csv(path).rows) {
    for (const char* stem :
         {"mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal"}) {
      folder.write(below + "images/" + row[4] + "/" + stem + ".jpg", std::string("image"));
    }
  }
}

TEST(Competition, LabelsAreSixMaskPlusThreeGenderPlusAgeGroup) {
  const TempFolder folder;
  write_people(folder, "train/",
               "000001,male,Asian,29,a\n000002,female,Asian,30,b\n000003,female,Asian,60,c\n");
  const Dataset dataset = load_competition(folder.path());
  EXPECT_EQ(dataset.layout, "competition");
  ASSERT_EQ(dataset.samples.size(), 21U);
  std::map<std::string, std::int64_t> label_of;
  for (const Sample& sample : dataset.samples) label_of[sample.path] = sample.label;
  EXPECT_EQ(label_of["train/images/a/mask1.jpg"], 0);
  EXPECT_EQ(label_of["train/images/a/incorrect_mask.jpg"], 6);
  EXPECT_EQ(label_of["train/images/b/normal.jpg"], 12 + 3 + 1);
  EXPECT_EQ(label_of["train/images/c/mask5.jpg"], 3 + 2);
  EXPECT_EQ(dataset.class_names.size(), 18U);
  EXPECT_EQ(dataset.class_names[0], "mask male <30");
  EXPECT_EQ(dataset.class_names[17], "normal female >=60");
  EXPECT_TRUE(dataset.has_groups);
  EXPECT_EQ(dataset.samples[0].group, "000001");
  EXPECT_THAT(dataset.warnings, IsEmpty());
}

TEST(Competition, TheFolderThatHoldsTrainCsvMayBeNamedToo) {
  const TempFolder folder;
  write_people(folder, "train/", "000001,male,Asian,29,a\n");
  const Dataset dataset = load_competition(folder.path() + "/train");
  ASSERT_EQ(dataset.samples.size(), 7U);
  EXPECT_EQ(dataset.samples[0].path, "images/a/incorrect_mask.jpg");
}

TEST(Competition, OdditiesAreToldAndNothingIsLost) {
  const TempFolder folder;
  write_people(folder, "", "1,male,Asian,29,a\n1,male,Asian,31,b\n2,female,Asian,40,a\n");
  folder.write("images/a/._mask1.jpg", std::string("attributes"));
  folder.write("images/a/selfie.jpg", std::string("image"));
  folder.write("images/b/mask1.png", std::string("image"));
  test::fs::remove(folder.path() + "/images/b/normal.jpg");
  const Dataset dataset = load_competition(folder.path());
  EXPECT_EQ(dataset.samples.size(), 14U);
  for (const Sample& sample : dataset.samples) EXPECT_EQ(sample.group, "1");
  EXPECT_THAT(dataset.warnings,
              ElementsAre(HasSubstr("train.csv:3: id 1 occurs twice"),
                          HasSubstr("id 1: more than one file named mask1.*"),
                          HasSubstr("id 1: 6 of 7 photographs"),
                          HasSubstr("id 2: folder images/a already belongs to an earlier row")));
  EXPECT_THAT(dataset.skipped, Contains(Pair(HasSubstr("AppleDouble"), 1)));
  EXPECT_THAT(dataset.skipped, Contains(Pair(HasSubstr("name other than mask1..5"), 1)));
}

TEST(Competition, AMissingFolderIsToldAndNoPhotographsAtAllIsAnError) {
  const TempFolder folder;
  folder.write("train.csv", "id,gender,race,age,path\n7,male,Asian,29,gone\n");
  EXPECT_THAT(message_of<ValueError>([&] { load_competition(folder.path()); }),
              HasSubstr("no person in it has photographs"));
  write_people(folder, "", "7,male,Asian,29,a\n");
  folder.write("train.csv", "id,gender,race,age,path\n7,male,x,29,a\n8,male,x,29,gone\n");
  EXPECT_THAT(load_competition(folder.path()).warnings,
              ElementsAre(HasSubstr("id 8: no folder images/gone")));
  const TempFolder empty;
  EXPECT_THAT(message_of<IoError>([&] { load_competition(empty.path()); }),
              HasSubstr("neither train.csv nor train/train.csv"));
  EXPECT_THROW(load_competition("/nowhere/at/all"), IoError);
}

TEST(Competition, RowsAreChecked) {
  const TempFolder folder;
  const auto error_of = [&](const std::string& rows) {
    const std::string path = folder.write("train.csv", "id,gender,race,age,path\n" + rows);
    std::vector<std::string> warnings;
    return message_of<FormatError>([&] { read_people(path, warnings); });
  };
  EXPECT_THAT(error_of("1,man,x,29,a\n"),
              HasSubstr("train.csv:2: gender is 'man', expected male or"));
  EXPECT_THAT(error_of("1,male,x,29,a\n2,male,x,abc,b\n"),
              HasSubstr("train.csv:3: age is 'abc', expected 0..130"));
  for (const char* age : {"-3", "131", "", "30.5", "29x", "99999999999"}) {
    EXPECT_THAT(error_of(std::string("1,male,x,") + age + ",a\n"), HasSubstr("age is '")) << age;
  }
  EXPECT_THAT(error_of("1,male,x,29,../a\n"), HasSubstr("path '../a' leaves the data folder"));
  EXPECT_THAT(error_of("1,male,x,29,a/../../b\n"), HasSubstr("leaves the data folder"));
  EXPECT_THAT(error_of("1,male,x,29,/etc\n"), HasSubstr("path '/etc' is absolute"));
  EXPECT_THAT(error_of("1,male,x,29,\n"), HasSubstr("path is empty"));
  EXPECT_THAT(error_of(",male,x,29,a\n"), HasSubstr("id is empty"));
  EXPECT_THAT(error_of(""), HasSubstr("has a header but no rows"));
}

TEST(LoadDataset, FindsTheLayout) {
  const TempFolder folder;
  EXPECT_THAT(message_of<ValueError>([&] { load_dataset(folder.path()); }),
              AllOf(HasSubstr("contains no data set"), HasSubstr("train.csv")));
  folder.write("a/1.jpg", std::string("image"));
  folder.write("b/2.jpg", std::string("image"));
  EXPECT_EQ(load_dataset(folder.path()).layout, "folder");
  EXPECT_THROW(load_dataset(folder.path(), {.layout = "competition"}), IoError);
  write_people(folder, "train/", "000001,male,Asian,29,a\n");
  EXPECT_EQ(load_dataset(folder.path()).layout, "competition");
  EXPECT_EQ(load_dataset(folder.path(), {.layout = "folder"}).layout, "folder");
  EXPECT_THAT(message_of<ValueError>([&] { load_dataset(folder.path(), {.layout = "tree"}); }),
              HasSubstr("unknown layout 'tree'"));
  EXPECT_THROW(load_dataset("/nowhere/at/all"), IoError);
}

TEST(FindUnreadable, NamesFilesAndReasonsInOrder) {
  const TempFolder folder;
  const std::vector<std::uint8_t> good = encode_png(test::noise("good", 5, 5));
  for (int i = 0; i < 20; ++i) folder.write("a/" + std::to_string(10 + i) + ".png", good);
  folder.write("a/13.png", std::vector<std::uint8_t>(good.begin(), good.end() - 20));
  folder.write("b/text.jpg", std::string("text"));
  folder.write("b/good.jpg", good);
  const Dataset dataset = load_image_folder(folder.path());
  for (const int workers : {0, 1, 3}) {
    const std::vector<BadImage> bad = find_unreadable(dataset, workers);
    ASSERT_EQ(bad.size(), 2U);
    EXPECT_EQ(bad[0].path, "a/13.png");
    EXPECT_THAT(bad[0].reason, HasSubstr("damaged PNG"));
    EXPECT_EQ(bad[1].path, "b/text.jpg");
    EXPECT_THAT(bad[1].reason, HasSubstr("text and not an image: 'text'"));
  }
}

TEST(FindUnreadable, AShapeThatCannotBePreprocessed) {
  const TempFolder folder;
  folder.write("a/good.png", encode_png(test::noise("good", 5, 5)));
  folder.write("b/line.png", encode_png(Image{3000, 1, std::vector<std::uint8_t>(9000)}));
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_TRUE(find_unreadable(dataset, 1).empty());  // squashed to a square
  const std::vector<BadImage> bad = find_unreadable(dataset, 1, Preprocessing::imagenet());
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(bad[0].path, "b/line.png");
  EXPECT_THAT(bad[0].reason, HasSubstr("line.png: resize: a shorter side of 256 makes the longer"));
  Preprocessing small = Preprocessing::imagenet();
  small.resize = 32;
  EXPECT_TRUE(find_unreadable(dataset, 1, small).empty());
}

}  // namespace
}  // namespace hanok::data
