// Names of image files, and what a folder holds.
#include "hanok/data/image_files.h"

#include <gmock/gmock.h>

#include "hanok/data/dataset.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::TempFolder;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Pair;

TEST(ImageFiles, ExtensionsInAnyCase) {
  for (const char* name : {"a.jpg", "a.JPEG", "a.jpe", "a.jfif", "a.Png", "a.webp", "a.bmp",
                           "a.dib", "a.gif", "a.tif", "b/c.TIFF", "a.tar.png"}) {
    EXPECT_TRUE(has_image_extension(name)) << name;
    EXPECT_EQ(left_out_format(name), "") << name;
  }
  for (const char* name : {"a", "jpg", "a.txt", "a.png.txt", "a.heic", ""}) {
    EXPECT_FALSE(has_image_extension(name)) << name;
  }
}

TEST(ImageFiles, FormatsThatAreLeftOutHaveANameAndAdvice) {
  EXPECT_EQ(left_out_format("IMG_0001.HEIC"), "HEIC");
  EXPECT_EQ(left_out_format("a.jxl"), "JPEG XL");
  EXPECT_EQ(left_out_format("a.jp2"), "JPEG 2000");
  EXPECT_EQ(left_out_format("a.NEF"), "camera raw");
  EXPECT_EQ(left_out_format("a.dng"), "camera raw");
  EXPECT_EQ(left_out_format("a.txt"), "");
  EXPECT_THAT(advice_for("HEIC"), HasSubstr("heif-convert"));
  EXPECT_THAT(advice_for("camera raw"), HasSubstr("dcraw_emu"));
  EXPECT_EQ(advice_for("PSD"), "save it as JPEG or PNG");
}

TEST(ImageFiles, AFolderWithLinksAndSkippedFiles) {
  const TempFolder folder;
  for (const char* name : {"new/b.webp", "new/a.png", "new/deep/c.bmp", "new/d.heic", "new/e.heic",
                           "new/f.nef", "new/g.txt", "else/x/1.png", "else/x/2.gif"}) {
    folder.write(name, std::string("image"));
  }
  test::fs::create_directory_symlink("../else/x", folder.path() + "/new/linked");
  test::fs::create_directory_symlink("..", folder.path() + "/new/up");
  const ImageFiles files = image_files(folder.path() + "/new");
  EXPECT_THAT(files.paths, Contains("linked/1.png"));
  EXPECT_THAT(files.paths, Contains("linked/2.gif"));
  EXPECT_THAT(files.paths, testing::IsSupersetOf({"a.png", "b.webp", "deep/c.bmp"}));
  EXPECT_THAT(
      files.skipped,
      Contains(
          Pair(AllOf(HasSubstr(".heic (HEIC, which is not read"), HasSubstr("heif-convert")), 2)));
  EXPECT_THAT(files.skipped, Contains(Pair(HasSubstr(".nef (camera raw"), 1)));
  EXPECT_THAT(files.skipped, Contains(Pair("extension .txt", 1)));
  EXPECT_THROW(image_files(folder.path() + "/nowhere"), IoError);
}

TEST(ImageFiles, ADataSetCountsPhotographsOfOtherFormats) {
  const TempFolder folder;
  for (const char* name : {"a/1.tif", "a/2.HEIC", "b/1.webp", "b/2.avif"}) {
    folder.write(name, std::string("image"));
  }
  const Dataset dataset = load_image_folder(folder.path());
  EXPECT_EQ(dataset.samples.size(), 2U);
  EXPECT_THAT(dataset.skipped, Contains(Key(HasSubstr("HEIC, which is not read"))));
  EXPECT_THAT(dataset.skipped, Contains(Key(HasSubstr("AVIF, which is not read"))));
}

}  // namespace
}  // namespace hanok::data
