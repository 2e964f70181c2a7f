// Data sets and folds read from plain tables.
#include <gmock/gmock.h>

#include "hanok/data/dataset.h"
#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(CsvDataset, ReadsPathLabelAndGroup) {
  const TempFolder folder;
  const std::string path =
      folder.write("labels.csv", "group,label,path\ng,cat,x/1.jpg\ng,dog,2.png\n,cat,3.png\n");
  const Dataset dataset = load_csv_dataset(path);
  EXPECT_EQ(dataset.layout, "csv");
  EXPECT_EQ(dataset.root, folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  ASSERT_EQ(dataset.samples.size(), 3U);
  EXPECT_EQ(dataset.full_path(0), folder.path() + "/x/1.jpg");
  EXPECT_EQ(dataset.samples[1].label, 1);
  EXPECT_EQ(dataset.samples[1].group, "g");
  EXPECT_EQ(dataset.samples[2].group, "3.png");
  EXPECT_TRUE(dataset.has_groups);
}

TEST(CsvDataset, NumbersAreInOrderOfValue) {
  const TempFolder folder;
  const Dataset dataset =
      load_csv_dataset(folder.write("t.csv", "path,label\na,10\nb,2\nc,-1\nd,10\n"));
  EXPECT_THAT(dataset.class_names, ElementsAre("-1", "2", "10"));
  EXPECT_EQ(dataset.samples[0].label, 2);
  EXPECT_FALSE(dataset.has_groups);
}

TEST(CsvDataset, ErrorsNameTheLine) {
  const TempFolder folder;
  const auto error_of = [&](const std::string& rows) {
    const std::string path = folder.write("t.csv", "path,label\nfirst,a\n" + rows);
    return message_of<FormatError>([&] { load_csv_dataset(path); });
  };
  EXPECT_THAT(error_of("../x,b\n"), HasSubstr("t.csv:3: path '../x' leaves the data folder"));
  EXPECT_THAT(error_of("/x,b\n"), HasSubstr("absolute"));
  EXPECT_THAT(error_of(",b\n"), HasSubstr("path is empty"));
  EXPECT_THAT(error_of("x,\n"), HasSubstr("t.csv:3: label is empty"));
  EXPECT_THAT(error_of("first,b\n"), HasSubstr("t.csv:3: path 'first' occurs twice"));
  EXPECT_THAT(message_of<ValueError>(
                  [&] { load_csv_dataset(folder.write("t.csv", "path,label\nx,a\ny,a\n")); }),
              HasSubstr("1 label, at least two"));
  EXPECT_THAT(message_of<FormatError>(
                  [&] { load_csv_dataset(folder.write("t.csv", "path,grade\nx,a\n")); }),
              HasSubstr("no column 'label' (columns: path, grade)"));
}

TEST(CsvDataset, LoadDatasetFindsIt) {
  const TempFolder folder;
  const std::string path = folder.write("labels.csv", "path,label\n1.jpg,a\n2.jpg,b\n");
  EXPECT_EQ(load_dataset(path).layout, "csv");
  EXPECT_EQ(load_dataset(folder.path()).layout, "csv");
  EXPECT_EQ(load_dataset(folder.path(), {.layout = "csv"}).samples.size(), 2U);
}

Dataset four_samples() {
  Dataset dataset;
  dataset.root = "somewhere";
  for (const char* path : {"a", "b", "c", "d"}) {
    dataset.samples.push_back({path, 0, path[0] < 'c' ? "ab" : path});
  }
  return dataset;
}

TEST(ReadFolds, FollowsTheTable) {
  const TempFolder folder;
  std::vector<std::string> warnings;
  const Dataset dataset = four_samples();
  EXPECT_THAT(read_folds(folder.write("f.csv", "path,label,fold\nd,x,1\na,x,0\nb,x,0\nc,x,2\n"),
                         dataset, warnings),
              ElementsAre(0, 0, 2, 1));
  EXPECT_THAT(warnings, IsEmpty());
  read_folds(folder.write("f.csv", "path,fold\nd,1\na,0\nb,1\nc,0\n"), dataset, warnings);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("1 group spans several folds, for example 'ab'")));
}

TEST(ReadFolds, ErrorsSayWhatDoesNotFit) {
  const TempFolder folder;
  const Dataset dataset = four_samples();
  const auto error_of = [&](const std::string& rows) {
    std::vector<std::string> warnings;
    const std::string path = folder.write("f.csv", "path,fold\n" + rows);
    return message_of<FormatError>([&] { read_folds(path, dataset, warnings); });
  };
  EXPECT_THAT(error_of("a,0\nb,1\nc,1\n"),
              HasSubstr("1 of 4 samples have no fold, for example 'd'"));
  EXPECT_THAT(error_of("a,0\nz,1\n"), HasSubstr("f.csv:3: 'z' is not in the data set somewhere"));
  EXPECT_THAT(error_of("a,0\na,1\n"), HasSubstr("f.csv:3: 'a' occurs twice"));
  for (const char* fold : {"-1", "x", "", "1.5", "99999"}) {
    EXPECT_THAT(error_of(std::string("a,") + fold + "\n"), HasSubstr("f.csv:2: fold is '")) << fold;
  }
  EXPECT_THAT(error_of("a,0\nb,0\nc,0\nd,0\n"), HasSubstr("all samples are in fold 0"));
  EXPECT_THAT(error_of("a,0\nb,0\nc,2\nd,2\n"),
              HasSubstr("fold 1 has no samples, but the highest fold is 2"));
}

TEST(GroupFile, GroupsTheSamplesAsTheTableSays) {
  const TempFolder folder;
  Dataset dataset = four_samples();
  dataset.has_groups = true;
  apply_group_file(dataset, folder.write("g.csv", "group,path\np1,d\np1,./a\n,b\n\"p 2\",c\n"));
  std::vector<std::string> groups;
  for (const Sample& sample : dataset.samples) groups.push_back(sample.group);
  EXPECT_THAT(groups, ElementsAre("p1", "b", "p 2", "p1"));
  EXPECT_TRUE(dataset.has_groups);
  EXPECT_EQ(describe_groups(dataset), "1 group of 2 files by g.csv, such as 'p1' (a, d)");
  apply_group_file(dataset, folder.write("g.csv", "path,group\na,1\nb,2\nc,\nd,3\n"));
  EXPECT_FALSE(dataset.has_groups);
}

TEST(GroupFile, ErrorsSayWhatDoesNotFit) {
  const TempFolder folder;
  Dataset dataset = four_samples();
  dataset.root = folder.path();
  for (const char* name : {"a", "b", "d"}) {
    folder.write(name, encode_png(test::gradient(4, 4)));
  }
  folder.write("c", "no image");
  const auto error_of = [&](const std::string& table) {
    const std::string path = folder.write("g.csv", table);
    return message_of<FormatError>([&] { apply_group_file(dataset, path); });
  };
  EXPECT_THAT(error_of("path,group\na,1\nz,1\n"), HasSubstr("g.csv:3: 'z' is not in the data set"));
  EXPECT_THAT(error_of("path,group\na,1\n./a,1\n"), HasSubstr("g.csv:3: './a' occurs twice"));
  EXPECT_THAT(error_of("path,group\na,1\nb,1\n"),
              HasSubstr("g.csv: 2 of 4 samples have no group, for example 'd'"));
  EXPECT_THAT(error_of("path,person\na,1\n"), HasSubstr("group"));
  // A run's folds.csv lacks what cannot be read.
  apply_group_file(dataset, folder.write("g.csv", "path,group\na,1\nb,1\nd,2\n"));
  EXPECT_EQ(dataset.samples[1].group, "1");
}

TEST(RepeatedFolds, EachRepeatIsAnotherFullSplit) {
  std::vector<std::int64_t> labels;
  std::vector<std::string> groups;
  for (int i = 0; i < 60; ++i) {
    labels.push_back(i % 3);
    groups.push_back("g" + std::to_string(i / 2));
  }
  const std::vector<Folds> plain = repeated_stratified_k_fold(labels, {}, 5, 3, 7);
  ASSERT_EQ(plain.size(), 3U);
  EXPECT_NE(plain[0], plain[1]);
  EXPECT_NE(plain[1], plain[2]);
  EXPECT_EQ(plain, repeated_stratified_k_fold(labels, {}, 5, 3, 7));
  EXPECT_NE(plain, repeated_stratified_k_fold(labels, {}, 5, 3, 8));
  for (const Folds& folds : plain) {
    for (int fold = 0; fold < 5; ++fold) {
      EXPECT_EQ(std::count(folds.begin(), folds.end(), fold), 12);
    }
  }
  for (const Folds& folds : repeated_stratified_k_fold(labels, groups, 5, 3, 7)) {
    for (std::size_t i = 0; i < 60; i += 2) EXPECT_EQ(folds[i], folds[i + 1]);
  }
  EXPECT_THROW(repeated_stratified_k_fold(labels, {}, 5, 0, 7), ValueError);
}

}  // namespace
}  // namespace hanok::data
