// Which part of a photograph a face makes the one to look at, and the table that a run keeps.
#include "hanok/apps/faces/face_table.h"

#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "hanok/apps/cli/signals.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/faces/made_up_finder.h"
#include "tests/apps/program.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

using faces::Face;
using faces::FaceTable;
using faces::PhotoFaces;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

PhotoFaces photo(int width, int height, const std::optional<Face>& face) {
  return {.content_hash = "0123456789abcdef",
          .width = width,
          .height = height,
          .faces = face ? 1 : 0,
          .largest = face};
}

Face box(float left, float top, float right, float bottom) {
  return {.left = left, .top = top, .right = right, .bottom = bottom, .probability = 0.9F};
}

std::array<int, 4> crop_of(const PhotoFaces& given, double margin) {
  const data::Rectangle part = faces::face_crop(given, margin);
  return {part.x, part.y, part.width, part.height};
}

TEST(FaceCrop, IsASquareAroundTheBox) {
  // 20 x 30 around (50,45): with a margin of 0.5 a square of 60.
  EXPECT_THAT(crop_of(photo(200, 100, box(40, 30, 60, 60)), 0.5), ElementsAre(20, 15, 60, 60));
  EXPECT_THAT(crop_of(photo(200, 100, box(40, 30, 60, 60)), 0), ElementsAre(35, 30, 30, 30));
  // Odd lengths: 21 around 10.5 and 30.5 begin at 0 and 20.
  EXPECT_THAT(crop_of(photo(101, 77, box(0, 20, 21, 41)), 0), ElementsAre(0, 20, 21, 21));
  // 7.2 * 1.6 = 11.52 is rounded to 12.
  EXPECT_THAT(crop_of(photo(101, 77, box(40, 20, 47.2F, 26)), 0.3), ElementsAre(38, 17, 12, 12));
}

TEST(FaceCrop, IsMovedInsideThePhotograph) {
  EXPECT_THAT(crop_of(photo(100, 80, box(-6, -4, 14, 16)), 0.5), ElementsAre(0, 0, 40, 40));
  EXPECT_THAT(crop_of(photo(100, 80, box(90, 70, 110, 90)), 0.5), ElementsAre(60, 40, 40, 40));
  // A box that lies outside, as no detector gives it.
  EXPECT_THAT(crop_of(photo(100, 80, box(300, -90, 310, -80)), 0), ElementsAre(90, 0, 10, 10));
}

TEST(FaceCrop, IsCutOffWhereThePhotographIsSmaller) {
  EXPECT_THAT(crop_of(photo(50, 90, box(10, 20, 40, 60)), 0.5), ElementsAre(0, 0, 50, 80));
  EXPECT_THAT(crop_of(photo(50, 40, box(-10, -20, 70, 80)), 0.3), ElementsAre(0, 0, 50, 40));
  EXPECT_THAT(crop_of(photo(1, 1, box(0, 0, 1, 1)), 10), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(crop_of(photo(7, 3, box(1, 1, 1.2F, 1.1F)), 0), ElementsAre(1, 1, 1, 1));
}

TEST(FaceCrop, IsTheMiddleWithoutAFace) {
  EXPECT_THAT(crop_of(photo(160, 80, {}), 0.3), ElementsAre(45, 5, 70, 70));
  EXPECT_THAT(crop_of(photo(33, 47, {}), 2), ElementsAre(2, 9, 29, 29));
  EXPECT_THAT(crop_of(photo(1, 9, {}), 0), ElementsAre(0, 4, 1, 1));
  EXPECT_THROW(faces::face_crop(photo(0, 0, {}), 0), ValueError);
}

TEST(FaceCrop, LiesInsideForAnyBoxAndSize) {
  for (const int width : {1, 2, 5, 31, 160}) {
    for (const int height : {1, 3, 8, 97}) {
      for (const float begin : {-50.0F, -1.5F, 0.0F, 3.3F, 30.0F}) {
        for (const float side : {0.4F, 5.0F, 64.7F, 400.0F}) {
          for (const double margin : {0.0, 0.3, 10.0}) {
            const auto given =
                photo(width, height, box(begin, begin / 2, begin + side, begin / 2 + side / 3));
            const data::Rectangle part = faces::face_crop(given, margin);
            ASSERT_GE(part.x, 0);
            ASSERT_GE(part.y, 0);
            ASSERT_GE(part.width, 1);
            ASSERT_GE(part.height, 1);
            ASSERT_LE(part.x + part.width, width);
            ASSERT_LE(part.y + part.height, height);
          }
        }
      }
    }
  }
}

/// The photographs of draw_photos() as a data set.
class Table : public ::testing::Test {
 protected:
  Table() : dataset_(data::load_image_folder(draw_photos(folder_ / "photos"))) {}

  FaceTable find(int threads = 1) {
    return faces::find_faces(dataset_, finder_, threads, reporter_).value();
  }
  /// What reading the table says when a text in it is another.
  std::string problem(const std::string& from, const std::string& to) {
    std::string text = faces::to_csv(find(), dataset_);
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    write_text(file_, text.replace(at, from.size(), to));
    try {
      faces::faces_from_csv(file_, dataset_);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  data::Dataset dataset_;
  MadeUpFinder finder_;
  RecordingReporter reporter_;
  std::string file_ = folder_ / "faces.csv";
};

TEST_F(Table, HoldsTheLargestFaceOfEveryPhotograph) {
  const FaceTable table = find();
  ASSERT_EQ(table.photos.size(), 36U);
  EXPECT_EQ(table.finder, "made up");
  std::int64_t with_face = 0;
  for (std::size_t i = 0; i < 36; ++i) {
    const data::Image image = data::decode_image_file(dataset_.full_path(i));
    const std::vector<Face> found = finder_.find(image);
    const PhotoFaces& photo = table.photos[i];
    EXPECT_EQ(photo.width, image.width);
    EXPECT_EQ(photo.height, image.height);
    EXPECT_EQ(photo.faces, static_cast<std::int64_t>(found.size()));
    ASSERT_EQ(photo.largest.has_value(), !found.empty());
    with_face += found.empty() ? 0 : 1;
    if (!found.empty()) {
      EXPECT_EQ(photo.largest->left, found[0].left);
    }
  }
  EXPECT_EQ(table.with_face(), with_face);
  EXPECT_GT(with_face, 0);
  EXPECT_LT(with_face, 36);  // so that both kinds are tested
  EXPECT_EQ(faces::describe(table), "faces found in " + std::to_string(with_face) +
                                        " of 36 photographs; the middle of the others is used");
  EXPECT_EQ(reporter_.progress.size(), 36U);
  EXPECT_EQ(reporter_.progress.back().label, "finding faces");
}

TEST_F(Table, IsTheSameForAnyNumberOfThreads) {
  const std::string one = faces::to_csv(find(1), dataset_);
  EXPECT_EQ(faces::to_csv(find(5), dataset_), one);
}

TEST_F(Table, SurvivesItsFile) {
  const FaceTable table = find();
  const std::string text = faces::to_csv(table, dataset_);
  write_text(file_, text);
  const FaceTable again = faces::faces_from_csv(file_, dataset_);
  EXPECT_EQ(faces::to_csv(again, dataset_), text);
  EXPECT_EQ(again.finder, table.finder);
  for (std::size_t i = 0; i < table.photos.size(); ++i) {
    const data::Rectangle a = faces::face_crop(table.photos[i], 0.3);
    const data::Rectangle b = faces::face_crop(again.photos[i], 0.3);
    EXPECT_TRUE(a.x == b.x && a.y == b.y && a.width == b.width && a.height == b.height);
    EXPECT_EQ(table.photos[i].largest.has_value(), again.photos[i].largest.has_value());
    if (table.photos[i].largest) {
      EXPECT_EQ(table.photos[i].largest->probability, again.photos[i].largest->probability);
    }
  }
}

TEST_F(Table, ADamagedFileIsRefusedWithItsLine) {
  EXPECT_THAT(problem("class0/photo00.png", "class0/other.png"),
              AllOf(HasSubstr(file_ + ":2"), HasSubstr("expected 'class0/photo00.png'")));
  EXPECT_THAT(problem(",32,32,", ",wide,32,"),
              AllOf(HasSubstr(":2"), HasSubstr("width is 'wide'")));
  EXPECT_THAT(problem(",32,32,", ",32,0,"), HasSubstr("32x0"));
  EXPECT_THAT(problem(",32,32,1,", ",32,32,-1,"), HasSubstr("faces is -1"));
  EXPECT_THAT(problem(",32,32,1,", ",32,32,1,nan"), HasSubstr("left is 'nan"));
  EXPECT_THAT(problem(",32,32,1,-1.25,", ",32,32,1,900,"), HasSubstr("an empty box: left 900"));
  EXPECT_THAT(problem(",32,32,0,", ",32,32,2,"), HasSubstr("left is ''"));
  EXPECT_THAT(problem("made up\n", "another\n"), HasSubstr("before it was 'another'"));
  EXPECT_THAT(problem("probability", "certainty"), HasSubstr("probability"));
  std::string text = faces::to_csv(find(), dataset_);
  write_text(file_, text.substr(0, text.rfind("\nclass2") + 1));
  try {
    faces::faces_from_csv(file_, dataset_);
    ADD_FAILURE() << "no error";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("holds 35 photographs, the run has 36"));
  }
  EXPECT_THROW(faces::faces_from_csv(folder_ / "none.csv", dataset_), IoError);
}

TEST_F(Table, MarksWhatCannotBeReadAndLeavesItWhole) {
  write_text(folder_ / "photos/class1/photo03.png", "no picture");
  FaceTable table = find();
  EXPECT_EQ(table.photos[15].width, 0);
  dataset_.samples[15].crop = data::Rectangle{1, 1, 2, 2};  // of another table
  faces::crop_to_faces(dataset_, table, 0.3);
  EXPECT_FALSE(dataset_.samples[15].crop.has_value());
  EXPECT_TRUE(dataset_.samples[14].crop.has_value());
  table.photos.pop_back();
  EXPECT_THROW(faces::crop_to_faces(dataset_, table, 0.3), ValueError);
}

TEST_F(Table, NamesFilesThatAreNotTheSearchedOnes) {
  const FaceTable table = find();
  EXPECT_TRUE(faces::changed_files(table, dataset_, 2).empty());
  const std::string changed = folder_ / "photos/class1/photo03.png";
  std::string bytes = read_text(changed);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] + 1);  // of the same size
  write_text(changed, bytes);
  std::filesystem::remove(folder_ / "photos/class2/photo11.png");
  EXPECT_THAT(faces::changed_files(table, dataset_, 2),
              ElementsAre("class1/photo03.png", "class2/photo11.png"));
}

TEST_F(Table, TheSearchEndsWhenTheUserInterrupts) {
  training::watch_for_interrupts();
  std::raise(SIGINT);
  EXPECT_FALSE(faces::find_faces(dataset_, finder_, 2, reporter_).has_value());
  training::clear_interrupt();
}

}  // namespace
}  // namespace hanok::test
