// What is said about the faces of a data set.
#include "hanok/apps/faces/face_findings.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/inspection/inspect.h"
#include "hanok/data/random.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/faces/made_up_finder.h"
#include "tests/apps/program.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

using faces::Face;
using faces::FaceFindings;
using faces::FaceTable;
using faces::RelativeBox;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Samples of classes "bare" and "masked" with faces as they are added.
struct Photos {
  data::Dataset dataset;
  FaceTable table;

  Photos() { dataset.class_names = {"bare", "masked"}; }
  /// `found` of `count` photographs of a class, 100 x 200 pixels with the face in [20,60) x
  /// [40,100).
  void add(std::int64_t label, int found, int count, int per_group = 1) {
    for (int i = 0; i < count; ++i) {
      const std::string path = fmt::format("{}/{}", label, dataset.samples.size());
      dataset.samples.push_back({path, label, fmt::format("{}-{}", label, i / per_group)});
      faces::PhotoFaces photo{.width = 100, .height = 200};
      if (i < found) {
        photo.faces = 1;
        photo.largest = Face{.left = 20, .top = 40, .right = 60, .bottom = 100};
      }
      table.photos.push_back(photo);
    }
  }
  FaceFindings findings() const { return faces::find_in_table(table, dataset); }
};

TEST(FaceFindingsTest, GivesSharesWithWilsonsIntervals) {
  Photos photos;
  photos.add(0, 9, 10);
  photos.add(1, 3, 20);
  const FaceFindings found = photos.findings();
  EXPECT_EQ(found.all.found, 12);
  EXPECT_EQ(found.all.of, 30);
  EXPECT_EQ(found.classes.shares[0].found, 9);
  EXPECT_EQ(found.classes.shares[1].of, 20);
  // statsmodels.stats.proportion.proportion_confint(9, 10, method="wilson"), and (3, 20)
  EXPECT_NEAR(found.classes.shares[0].low, 0.595850, 1e-6);
  EXPECT_NEAR(found.classes.shares[0].high, 0.982124, 1e-6);
  EXPECT_NEAR(found.classes.shares[1].low, 0.052369, 1e-6);
  EXPECT_NEAR(found.classes.shares[1].high, 0.360419, 1e-6);
}

TEST(FaceFindingsTest, WarnsWhereTheShareDependsOnTheClass) {
  Photos photos;
  photos.add(0, 95, 100);
  photos.add(1, 60, 100);
  const FaceFindings found = photos.findings();
  // scipy.stats.chi2_contingency([[95, 5], [60, 40]], correction=False): statistic 35.125
  EXPECT_NEAR(found.classes.p_value, 3.0913e-9, 1e-12);
  EXPECT_TRUE(found.classes.differ);
  EXPECT_EQ(found.classes.lowest, 1U);
  EXPECT_EQ(found.classes.highest, 0U);
}

TEST(FaceFindingsTest, DoesNotWarnOfChance) {
  Photos photos;
  photos.add(0, 90, 100);
  photos.add(1, 84, 100);
  const FaceFindings found = photos.findings();
  // scipy.stats.chi2_contingency([[90, 10], [84, 16]], correction=False): p = 0.207110
  EXPECT_NEAR(found.classes.p_value, 0.207110, 1e-6);
  EXPECT_FALSE(found.classes.differ);
  Photos same;
  same.add(0, 50, 50);
  same.add(1, 50, 50);
  EXPECT_EQ(same.findings().classes.p_value, 1);
  EXPECT_FALSE(Photos().findings().classes.differ);
}

TEST(FaceFindingsTest, TestsMoreThanTwoClasses) {
  Photos photos;
  photos.dataset.class_names = {"a", "b", "c", "d", "without photographs"};
  photos.add(0, 20, 40);
  photos.add(1, 25, 40);
  photos.add(2, 31, 40);
  // scipy.stats.chi2_contingency([[20, 20], [25, 15], [31, 9]], correction=False)
  EXPECT_NEAR(photos.findings().classes.p_value, 0.038176, 1e-6);
  photos.add(3, 22, 40);
  EXPECT_NEAR(photos.findings().classes.p_value, 0.063831, 1e-6);
}

TEST(FaceFindingsTest, PhotographsOfAGroupCountForFewer) {
  Photos apart;
  apart.add(0, 60, 100);
  Photos together;
  together.add(0, 60, 100, 20);  // five persons: three found, two missed
  const auto width = [](const Photos& photos) {
    const faces::Share share = photos.findings().classes.shares[0];
    return share.high - share.low;
  };
  EXPECT_GT(width(together), 3 * width(apart));
  // The same difference that is clear of independent photographs may be one of persons.
  apart.add(1, 40, 100);
  together.add(1, 40, 100, 20);
  EXPECT_TRUE(apart.findings().classes.differ);
  EXPECT_FALSE(together.findings().classes.differ);
}

TEST(FaceFindingsTest, SaysWhereFacesAreAndHowLarge) {
  Photos photos;
  photos.add(0, 4, 5);
  photos.table.photos[4].width = 0;  // unreadable
  photos.table.photos[0].faces = 3;
  const FaceFindings found = photos.findings();
  EXPECT_EQ(found.all.of, 4);
  EXPECT_EQ(found.unreadable, 1);
  EXPECT_EQ(found.several, 1);
  EXPECT_NEAR(found.median_height, 0.3, 1e-6);
  EXPECT_NEAR(found.median_area, 0.4 * 0.3, 1e-6);
  // Cells' middles at (i + 0.5) / 16: columns 3..9 lie in [0.2, 0.6], rows 3..7 in [0.2, 0.5].
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t column = 0; column < 16; ++column) {
      const bool covered = row >= 3 && row <= 7 && column >= 3 && column <= 9;
      EXPECT_EQ(found.where[row][column], covered ? 1 : 0) << row << ", " << column;
    }
  }
  photos.table.photos.pop_back();
  EXPECT_THROW(photos.findings(), ValueError);
}

TEST(FaceFindingsTest, TheSuggestedPartLeavesOutTheOddOnes) {
  std::vector<RelativeBox> boxes(19, {.left = 0.4, .top = 0.3, .right = 0.6, .bottom = 0.5});
  boxes.push_back({.left = 0, .top = 0.9, .right = 0.1, .bottom = 1});
  const RelativeBox most = faces::holding(boxes, 0.95);
  EXPECT_EQ(most.left, 0.4);
  EXPECT_EQ(most.top, 0.3);
  EXPECT_EQ(most.right, 0.6);
  EXPECT_EQ(most.bottom, 0.5);
  const RelativeBox all = faces::holding(boxes, 0.96);  // none of 20 may be left out
  EXPECT_EQ(all.left, 0);
  EXPECT_EQ(all.bottom, 1);
  EXPECT_EQ(faces::holding({}, 0.95).area(), 1);
  EXPECT_EQ(faces::holding({boxes[0]}, 0).area(), boxes[0].area());
}

std::string texts_of(const std::vector<pages::Block>& blocks, pages::Tone tone) {
  std::string text;
  for (const pages::Block& block : blocks) {
    const auto* paragraph = std::get_if<pages::Paragraph>(&block);
    if (paragraph != nullptr && paragraph->tone == tone) text += paragraph->text + "\n";
  }
  return text;
}

TEST(FaceFindingsTest, BlocksNameTheClassesThatDiffer) {
  Photos photos;
  photos.add(0, 95, 100);
  photos.add(1, 60, 100);
  const std::vector<pages::Block> blocks = faces::face_blocks(photos.table, photos.dataset, 0);
  EXPECT_EQ(std::get<pages::Section>(blocks.front()).id, "faces");
  EXPECT_THAT(texts_of(blocks, pages::Tone::Warning),
              AllOf(HasSubstr("60.0% in 'masked'"), HasSubstr("95.0% in 'bare'"),
                    HasSubstr("--crop center")));
  EXPECT_THAT(texts_of(blocks, pages::Tone::Finding),
              AllOf(HasSubstr("A face was found in 155 of 200 photographs (77.5%;"),
                    HasSubstr("from 20.0% to 60.0% of the width and from 20.0% to 50.0%")));
  Photos even;
  even.add(0, 0, 10);
  const std::vector<pages::Block> none = faces::face_blocks(even.table, even.dataset, 0);
  EXPECT_EQ(texts_of(none, pages::Tone::Warning), "");
  EXPECT_THAT(texts_of(none, pages::Tone::Finding), Not(HasSubstr("of the width")));
}

TEST(FaceFindingsTest, OfTheCompetitionSaysItByMask) {
  Photos photos;
  photos.dataset.layout = "competition";
  photos.dataset.class_names.assign(18, "");
  for (std::size_t c = 0; c < 18; ++c) photos.dataset.class_names[c] = fmt::format("class {}", c);
  // Each of the 18 classes is too small to differ; six of them together are not.
  for (std::int64_t c = 0; c < 18; ++c) photos.add(c, c < 6 ? 8 : 10, 10);
  const FaceFindings found = photos.findings();
  EXPECT_FALSE(found.classes.differ);
  ASSERT_EQ(found.masks.shares.size(), 3U);
  EXPECT_EQ(found.masks.shares[0].found, 48);
  EXPECT_EQ(found.masks.shares[0].of, 60);
  EXPECT_TRUE(found.masks.differ);
  // scipy.stats.chi2_contingency([[48, 12], [60, 0], [60, 0]], correction=False)
  EXPECT_NEAR(found.masks.p_value, 2.6074e-6, 1e-9);
  const std::string warnings =
      texts_of(faces::face_blocks(photos.table, photos.dataset, 0), pages::Tone::Warning);
  EXPECT_THAT(warnings, AllOf(HasSubstr("depends on how the mask is worn"),
                              HasSubstr("80.0% in 'worn'"), HasSubstr("100.0% in 'incorrect'"),
                              HasSubstr("--crop center"), Not(HasSubstr("depends on the class"))));
  photos.dataset.layout = "folder";
  EXPECT_TRUE(photos.findings().masks.shares.empty());
  EXPECT_FALSE(photos.findings().masks.differ);
}

TEST(FaceFindingsTest, TheSuggestedPartIsThatOfTakingAwayOneByOne) {
  std::vector<RelativeBox> boxes;
  for (std::int64_t i = 0; i < 400; ++i) {
    data::RandomDraws random(7, RandomStream::Test, i, 0);
    const auto side = [&random] { return static_cast<double>(random.below(20)) / 40; };  // ties too
    const double left = side();
    const double top = side();
    boxes.push_back({left, top, left + side() + 0.01, top + side() + 0.01});
  }
  std::vector<RelativeBox> rest = boxes;
  const auto around = [](const std::vector<RelativeBox>& all, std::size_t without) {
    RelativeBox box{1, 1, 0, 0};
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == without) continue;
      box = {std::min(box.left, all[i].left), std::min(box.top, all[i].top),
             std::max(box.right, all[i].right), std::max(box.bottom, all[i].bottom)};
    }
    return box;
  };
  for (int round = 0; round < 60; ++round) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (around(rest, i).area() < around(rest, best).area()) best = i;
    }
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(best));
  }
  // Ties may be taken away in another order.
  EXPECT_NEAR(faces::holding(boxes, 0.85).area(), around(rest, rest.size()).area(), 0.03);
}

TEST(FaceFindingsTest, DrawsTheBoxAndTheCrop) {
  const data::Image grey{40, 30, std::vector<std::uint8_t>(std::size_t{3} * 40 * 30, 128)};
  faces::PhotoFaces photo{.width = 40, .height = 30, .faces = 1};
  photo.largest = Face{.left = 10, .top = 8, .right = 20, .bottom = 18};
  const data::Image drawn = faces::with_boxes(grey, photo, 0.2);
  const auto colour = [&drawn](int x, int y) {
    const std::uint8_t* pixel = drawn.row(y) + 3 * x;
    return std::vector<int>{pixel[0], pixel[1], pixel[2]};
  };
  const std::vector<int> untouched{128, 128, 128};
  EXPECT_EQ(colour(10, 8), colour(19, 17));
  EXPECT_NE(colour(10, 12), untouched);
  EXPECT_EQ(colour(15, 12), untouched);
  EXPECT_EQ(colour(20, 12), untouched);
  EXPECT_NE(colour(8, 6), untouched);  // a square of 14 around (15,13)
  EXPECT_NE(colour(8, 6), colour(10, 8));
  EXPECT_EQ(colour(7, 6), untouched);
  // Beyond the edges.
  photo.largest = Face{.left = -5, .top = -5, .right = 90, .bottom = 90};
  EXPECT_NO_THROW(faces::with_boxes(grey, photo));
}

TEST(InspectDataFaces, ReportsThemOnRequest) {
  const TemporaryFolder folder;
  inspection::DataOptions options;
  options.data = draw_photos(folder / "photos");
  options.make_finder = make_made_up_finder;
  RecordingReporter without;
  inspection::inspect_data(options, without);
  EXPECT_THAT(without.text, Not(HasSubstr("face")));
  options.faces = true;
  RecordingReporter reporter;
  inspection::inspect_data(options, reporter);
  EXPECT_THAT(reporter.text, AllOf(HasSubstr("\nFaces\n-----\n"), HasSubstr("A face was found in"),
                                   HasSubstr("class2"), HasSubstr("of the faces lie in the part")));
  write_text(folder / "photos/class0/photo00.png", "no picture");
  options.make_finder = []() -> std::unique_ptr<faces::FaceFinder> {
    throw IoError("run ./dev weights mtcnn");
  };
  RecordingReporter missing;
  EXPECT_THROW(inspection::inspect_data(options, missing), IoError);
  EXPECT_EQ(missing.text, "");  // nothing was read
}

}  // namespace
}  // namespace hanok::test
