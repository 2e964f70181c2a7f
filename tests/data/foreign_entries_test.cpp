// Folders between those of a data set that are none of its own: of systems, disks and runs; and
// files and classes that are there twice.
#include <gmock/gmock.h>

#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
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

/// Two classes of one image.
void write_classes(const TempFolder& folder) {
  folder.write("a/1.png", std::string("image"));
  folder.write("b/2.png", std::string("image"));
}

TEST(ForeignEntries, FoldersOfSystemsAndDisksAreCountedByName) {
  for (const char* name :
       {"@eaDir", "lost+found", ".ipynb_checkpoints", "__MACOSX", "$RECYCLE.BIN", "#recycle",
        "System Volume Information", ".Trash-1000", ".Spotlight-V100", ".fseventsd", "@Recycle",
        "#snapshot", "@__thumb", "__pycache__"}) {
    const TempFolder folder;
    write_classes(folder);
    folder.write(std::string(name) + "/3.png", std::string("image"));
    folder.write("a/" + std::string(name) + "/1.png/thumbnail.png", std::string("image"));
    const Dataset dataset = load_dataset(folder.path());
    EXPECT_THAT(dataset.class_names, ElementsAre("a", "b")) << name;
    EXPECT_EQ(dataset.samples.size(), 2U) << name;
    EXPECT_THAT(
        dataset.skipped,
        ElementsAre(Pair(HasSubstr(name == std::string(".Trash-1000") ? ".Trash" : name), 2)))
        << name;
  }
  EXPECT_THAT(skip_reason("THUMBS.DB"), HasSubstr("Windows"));
  EXPECT_THAT(skip_reason("Desktop.ini"), HasSubstr("Windows"));
}

TEST(ForeignEntries, RunFoldersAreNoClasses) {
  const TempFolder folder;
  write_classes(folder);
  for (const char* run : {"run", "a/run", "runs/first", "runs/second"}) {
    folder.write(std::string(run) + "/config.toml", std::string("data = \".\""));
    folder.write(std::string(run) + "/fold_0/picture.png", std::string("image"));
  }
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_THAT(dataset.class_names, ElementsAre("a", "b"));
  EXPECT_EQ(dataset.samples.size(), 2U);
  EXPECT_THAT(dataset.skipped, Contains(Pair(HasSubstr("config.toml"), 2)));
  EXPECT_THAT(dataset.skipped, Contains(Pair(HasSubstr("holds run folders"), 1)));
}

TEST(ForeignEntries, AMissingClassThatWasSkippedIsNamed) {
  const TempFolder folder;
  folder.write("a/1.png", std::string("image"));
  folder.write("b/2.png", std::string("image"));
  folder.write("b/config.toml", std::string());
  EXPECT_THAT(message_of<ValueError>([&] { load_image_folder(folder.path()); }),
              AllOf(HasSubstr("there is only 'a'"), HasSubstr("1 x run folder")));
}

TEST(ForeignEntries, AnArchivesOwnFolderIsNamed) {
  const TempFolder folder;
  folder.write("photos/a/1.png", std::string("image"));
  folder.write("photos/b/2.png", std::string("image"));
  EXPECT_THAT(message_of<ValueError>([&] { load_image_folder(folder.path()); }),
              HasSubstr("perhaps --data " + folder.path() + "/photos"));
}

TEST(TwinClasses, AreWarnedOf) {
  const std::string composed = "caf\xC3\xA9", decomposed = "cafe\xCC\x81";
  for (const auto& [one, other, difference] :
       {std::tuple("cat", "cat ", "blanks"), std::tuple("cat", "Cat", "case"),
        std::tuple(composed.c_str(), decomposed.c_str(), "Unicode")}) {
    const TempFolder folder;
    folder.write(std::string(one) + "/1.png", std::string("image"));
    folder.write(std::string(other) + "/2.png", std::string("image"));
    EXPECT_THAT(load_image_folder(folder.path()).warnings,
                ElementsAre(AllOf(HasSubstr("differ only in"), HasSubstr(difference))));
    const std::string table =
        folder.write("t.csv", std::string("path,label\n") + one + "/1.png," + one + "\n" + other +
                                  "/2.png," + other + "\n");
    EXPECT_THAT(load_csv_dataset(table).warnings, ElementsAre(HasSubstr(difference)));
  }
}

TEST(TwinFiles, LinksToOneImageAreWarnedOf) {
  const TempFolder folder;
  write_classes(folder);
  test::fs::create_symlink("../a/1.png", folder.path() + "/b/again.png");
  EXPECT_THAT(load_image_folder(folder.path()).warnings,
              ElementsAre(AllOf(HasSubstr("1 image is listed more than once"),
                                HasSubstr("'a/1.png' and 'b/again.png'"))));
}

}  // namespace
}  // namespace hanok::data
