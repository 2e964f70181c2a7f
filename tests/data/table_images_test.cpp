// Tables as people have them: other column names, names instead of paths, a file named twice.
#include <gmock/gmock.h>

#include "hanok/data/dataset.h"
#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::TempFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Tables : public ::testing::Test {
 protected:
  void write_images(const std::vector<std::string>& names) {
    for (const std::string& name : names) folder_.write(name, std::string("image"));
  }
  Dataset load(const std::string& text, const DatasetOptions& options = {}) {
    return load_csv_dataset(folder_.write("t.csv", text), options);
  }
  template <typename E = FormatError>
  std::string error_of(const std::string& text, const DatasetOptions& options = {}) {
    return message_of<E>([&] { load(text, options); });
  }

  TempFolder folder_;
};

std::vector<std::string> paths_of(const Dataset& dataset) {
  std::vector<std::string> paths;
  for (const Sample& sample : dataset.samples) paths.push_back(sample.path);
  return paths;
}

TEST_F(Tables, UsualColumnNamesAreFound) {
  write_images({"1.png", "2.png"});
  for (const char* header :
       {"path,label", "image,class", "Filename,Target", "id_code,diagnosis", "ImageID,Label",
        "img,category_id", "file_name,class_name", "id,breed", "image_id,dx"}) {
    const Dataset dataset = load(std::string(header) + "\n1.png,a\n2.png,b\n");
    EXPECT_THAT(dataset.class_names, ElementsAre("a", "b")) << header;
    const std::string column = std::string(header).substr(0, std::string(header).find(','));
    if (column == "path") {
      EXPECT_THAT(dataset.notes, IsEmpty());
    } else {
      EXPECT_THAT(dataset.notes, ElementsAre(AllOf(HasSubstr("images from column '" + column + "'"),
                                                   HasSubstr("--path-column"))));
    }
  }
}

TEST_F(Tables, OptionsNameOtherColumns) {
  write_images({"1.png", "2.png"});
  const std::string text = "what,where,path,label\na,1.png,x,x\nb,2.png,y,y\n";
  const Dataset dataset = load(text, {.path_column = "where", .label_column = "what"});
  EXPECT_THAT(paths_of(dataset), ElementsAre("1.png", "2.png"));
  EXPECT_THAT(dataset.class_names, ElementsAre("a", "b"));
  EXPECT_THAT(error_of(text, {.path_column = "Where"}),
              HasSubstr("no column 'Where', which --path-column names (columns: what, where"));
  EXPECT_THAT(error_of("a,b\n1,2\n"),
              AllOf(HasSubstr("no column 'path'"), HasSubstr("--path-column")));
  EXPECT_THAT(error_of("image,filename,label\n1,2,3\n"),
              HasSubstr("several columns could be 'path': image, filename; --path-column"));
  EXPECT_THAT(error_of("image,class,Target\n1,2,3\n"),
              HasSubstr("several columns could be 'label': class, Target"));
}

TEST_F(Tables, NamesAreCompletedWhereOneImageFits) {
  write_images({"train_images/a.png", "train_images/b.jpeg", "c.png", "deep/er/d.png"});
  const Dataset dataset = load("id_code,label\na,x\nb.jpeg,y\nc,x\ner\\d.png,y\n");
  EXPECT_THAT(paths_of(dataset),
              ElementsAre("train_images/a.png", "train_images/b.jpeg", "c.png", "deep/er/d.png"));
  EXPECT_THAT(
      dataset.notes,
      testing::Contains(HasSubstr("4 names to paths, such as 'a' to 'train_images/a.png'")));
  EXPECT_THAT(dataset.warnings, IsEmpty());
  write_images({"other/a.png", "c.jpg"});
  EXPECT_THAT(
      error_of("id,label\na,x\nc,y\n"),
      HasSubstr("t.csv:2: 'a' stands for several images: other/a.png and train_images/a.png"));
  EXPECT_THAT(error_of("id,label\nc,y\nb,x\n"), HasSubstr("c.jpg and c.png"));
}

TEST_F(Tables, ANameMeansTheTrainingImageNotTheOneForTesting) {
  write_images({"train/0.jpg", "test/0.jpg", "train/1.jpg", "test/1.jpg"});
  EXPECT_THAT(paths_of(load("id,label\n0,a\n1,b\n")), ElementsAre("train/0.jpg", "train/1.jpg"));
}

TEST_F(Tables, MissingImagesAreCounted) {
  write_images({"1.png"});
  EXPECT_THAT(load("path,label\n1.png,a\n2.png,b\n3.png,b\n").warnings,
              ElementsAre(HasSubstr("2 of 3 images do not exist, such as '2.png' in line 3")));
}

TEST_F(Tables, OneFileIsOneFileHoweverItIsSpelled) {
  write_images({"a/1.png", "b/2.png"});
  test::fs::create_directory_symlink("a", folder_.path() + "/link");
  test::fs::create_symlink("1.png", folder_.path() + "/a/one.png");
  for (const char* other : {"./a/1.png", "a/../a/1.png", "a//1.png", "link/1.png", "a/one.png"}) {
    const std::string text = std::string("path,label\na/1.png,x\nb/2.png,y\n") + other;
    EXPECT_THAT(error_of(text + ",x\n"),
                AllOf(HasSubstr("t.csv:4: path '" + std::string(other) +
                                "' is the same file as 'a/1.png' in line 2"),
                      HasSubstr("the same label 'x'")));
    EXPECT_THAT(error_of(text + ",y\n"), HasSubstr("with the label 'x', here 'y'"));
  }
  EXPECT_THAT(error_of("path,label\na/1.png,x\na/1.png,y\n"),
              HasSubstr("t.csv:3: path 'a/1.png' occurs twice: also in line 2"));
  EXPECT_THAT(error_of("path,label\ngone,x\n./gone,y\n"), HasSubstr("line 2"));
}

TEST_F(Tables, UnicodeFormsOfANameAreOneFile) {
  const std::string composed = "caf\xC3\xA9.png", decomposed = "cafe\xCC\x81.png";
  const std::string hangul = "\xED\x95\x9C.png",
                    letters = "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB.png";
  write_images({decomposed, letters});
  EXPECT_THAT(paths_of(load("path,label\n" + composed + ",x\n" + hangul + ",y\n")),
              ElementsAre(decomposed, letters));
  EXPECT_THAT(error_of("path,label\n" + composed + ",x\n" + decomposed + ",y\n"),
              HasSubstr("is the same file as"));
}

TEST_F(Tables, OtherBytesStayAndAreRefusedWhereTheyNameNothing) {
  const std::string latin1 = "caf\xE9.png";
  write_images({latin1, "b.png"});
  EXPECT_THAT(paths_of(load("path,label\n" + latin1 + ",x\nb.png,y\n")),
              ElementsAre(latin1, "b.png"));
  EXPECT_THAT(error_of("path,label\n\xE9,x\nb.png,y\n"),
              AllOf(HasSubstr("not UTF-8"), HasSubstr("iconv")));
}

TEST_F(Tables, PathsAreResolvedAsTheSystemDoes) {
  const TempFolder elsewhere;
  elsewhere.write("in/3.png", std::string("image"));
  write_images({"1.png", "2.png", "sub/x.png"});
  test::fs::create_directory_symlink(elsewhere.path() + "/in", folder_.path() + "/out");
  EXPECT_THAT(paths_of(load("path,label\nsub/../1.png,a\nout/3.png,b\n")),
              ElementsAre("sub/../1.png", "out/3.png"));
  // out/.. is the folder of the link's target, not this one.
  EXPECT_THAT(error_of("path,label\n1.png,a\nout/../2.png,b\n"),
              HasSubstr("path 'out/../2.png' leaves the data folder"));
}

TEST_F(Tables, ReadFoldsTakesOtherSpellings) {
  Dataset dataset;
  dataset.samples = {{"a/1.png", 0, "a/1.png"}, {"./b.png", 1, "./b.png"}};
  std::vector<std::string> warnings;
  EXPECT_THAT(
      read_folds(folder_.write("f.csv", "path,fold\n./a/1.png,0\nb.png,1\n"), dataset, warnings),
      ElementsAre(0, 1));
}

class Layouts : public Tables {};

TEST_F(Layouts, AForeignTableDoesNotTakeOverClassFolders) {
  write_images({"cat/1.png", "dog/2.png"});
  for (const char* table : {"train.csv", "labels.csv", "train/train.csv"}) {
    const std::string path = folder_.write(table, std::string("id_code,diagnosis\n1,0\n"));
    EXPECT_THAT(message_of<ValueError>([&] { load_dataset(folder_.path()); }),
                AllOf(HasSubstr(table), HasSubstr("--layout folder learns the folders cat, dog"),
                      HasSubstr("--layout csv reads images from its column 'id_code'")));
    test::fs::remove(path);
    test::fs::remove(folder_.path() + "/train");
  }
  folder_.write("labels.csv", std::string("class,index\ncat,0\n"));
  EXPECT_THAT(message_of<ValueError>([&] { load_dataset(folder_.path()); }),
              HasSubstr("--layout csv with --path-column"));
  EXPECT_EQ(load_dataset(folder_.path(), {.layout = "folder"}).samples.size(), 2U);
  folder_.write("labels.csv", std::string("path,label\ncat/1.png,x\ndog/2.png,y\n"));
  EXPECT_EQ(load_dataset(folder_.path()).layout, "csv");
}

TEST_F(Layouts, ATableOfOtherColumnsIsReadWhereNothingElseIsThere) {
  write_images({"images/1.png", "images/2.png"});
  folder_.write("labels.csv", std::string("image_id;target\n1;x\n2;y\n"));
  EXPECT_THAT(paths_of(load_dataset(folder_.path())), ElementsAre("images/1.png", "images/2.png"));
}

TEST_F(Layouts, LayoutCsvFindsTheTable) {
  write_images({"1.png", "2.png"});
  const std::string text = "id_code,diagnosis\n1,0\n2,1\n";
  EXPECT_THROW(load_dataset(folder_.path(), {.layout = "csv"}), IoError);
  folder_.write("answers.csv", text);
  EXPECT_EQ(load_dataset(folder_.path(), {.layout = "csv"}).samples.size(), 2U);
  folder_.write("more.csv", text);
  EXPECT_THAT(message_of<ValueError>([&] { load_dataset(folder_.path(), {.layout = "csv"}); }),
              HasSubstr("answers.csv"));
  folder_.write("train.csv", text);
  EXPECT_EQ(load_dataset(folder_.path(), {.layout = "csv"}).samples.size(), 2U);
  EXPECT_EQ(load_dataset(folder_.path(), {.path_column = "id_code"}).layout, "csv");
}

TEST_F(Tables, AClassThatOnlyContainsTheWordTestIsNoTest) {
  write_images({"healthy/1.jpg", "blood_test/1.jpg"});
  EXPECT_THAT(error_of("id,label\n1,a\n1,b\n"), HasSubstr("stands for several images"));
}

}  // namespace
}  // namespace hanok::data
