#include "hanok/data/synthetic.h"

#include <gmock/gmock.h>
#include <map>
#include <set>

#include "hanok/data/dataset.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::TempFolder;
using testing::HasSubstr;
using testing::IsEmpty;

double distance(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

TEST(DrawFace, IsAFunctionOfItsArguments) {
  const FaceAttributes face{0, 1, 40};
  const Image image = draw_face(face, 1, 2, 3);
  EXPECT_EQ(image.width, 96);
  EXPECT_EQ(image.height, 128);
  EXPECT_EQ(image.pixels, draw_face(face, 1, 2, 3).pixels);
  EXPECT_GT(distance(image, draw_face(face, 2, 2, 3)), 5);
  EXPECT_GT(distance(image, draw_face(face, 1, 3, 3)), 5);
  EXPECT_GT(distance(image, draw_face(face, 1, 2, 4)), 5);
}

// The checksum of one face: it must not depend on compiler, optimisation or CPU.
TEST(DrawFace, IsTheSameOnEveryMachine) {
  const Image image = draw_face({1, 0, 63}, 11, 22, 5);
  std::uint64_t hash = 1469598103934665603U;  // FNV-1a, 64 bits
  for (const std::uint8_t byte : image.pixels) hash = (hash ^ byte) * 1099511628211U;
  EXPECT_EQ(hash, 3626414445012036297U);
}

// All else equal, each attribute changes the expected region.
TEST(DrawFace, AttributesShow) {
  for (std::int64_t person = 0; person < 10; ++person) {
    const Image bare = draw_face({2, 0, 25}, 1, person, 0);
    const Image masked = draw_face({0, 0, 25}, 1, person, 0);
    const Image slipped = draw_face({1, 0, 25}, 1, person, 0);
    const Image woman = draw_face({2, 1, 25}, 1, person, 0);
    const Image old = draw_face({2, 0, 68}, 1, person, 0);
    EXPECT_GT(distance(bare, masked), 2) << person;
    EXPECT_GT(distance(bare, slipped), 1.5) << person;
    EXPECT_GT(distance(masked, slipped), 1) << person;
    EXPECT_GT(distance(bare, woman), 2) << person;
    EXPECT_GT(distance(bare, old), 0.5) << person;
  }
}

TEST(DrawFace, ErrorsNameTheValues) {
  EXPECT_THAT(message_of<ValueError>([] { draw_face({3, 0, 30}, 0, 0, 0); }), HasSubstr("mask 3"));
  EXPECT_THROW(draw_face({0, 2, 30}, 0, 0, 0), ValueError);
  EXPECT_THROW(draw_face({0, 0, -1}, 0, 0, 0), ValueError);
  EXPECT_THAT(message_of<ValueError>([] {
                draw_face({0, 0, 30}, 0, 0, 0, 8, 100);
              }),
              HasSubstr("8x100 pixels"));
}

TEST(SyntheticCompetition, LoadsWithEveryClassAndIsImbalanced) {
  const TempFolder folder;
  SyntheticOptions options;
  options.people = 30;
  options.width = options.height = 24;
  write_synthetic_competition(folder.path(), options);
  const Dataset dataset = load_dataset(folder.path());
  EXPECT_EQ(dataset.layout, "competition");
  EXPECT_EQ(dataset.samples.size(), 210U);
  EXPECT_THAT(dataset.warnings, IsEmpty());
  EXPECT_THAT(dataset.skipped, IsEmpty());
  const std::vector<std::int64_t> counts = dataset.class_counts();
  EXPECT_GE(*std::min_element(counts.begin(), counts.end()), 1);
  EXPECT_GE(*std::max_element(counts.begin(), counts.end()), 40);
  std::set<std::string> extensions;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    extensions.insert(test::fs::path(dataset.samples[i].path).extension().string());
    EXPECT_EQ(decode_image_file(dataset.full_path(i)).width, 24);
  }
  EXPECT_EQ(extensions.size(), 3U);
  const Csv info = read_csv(folder.path() + "/eval/info.csv");
  EXPECT_EQ(info.rows.size(), 30U);
  for (const auto& row : info.rows) {
    EXPECT_EQ(decode_image_file(folder.path() + "/eval/images/" + row[0]).height, 24);
  }
}

TEST(SyntheticCompetition, OneSeedOneDataSet) {
  SyntheticOptions options;
  options.people = 7;
  options.width = options.height = 16;
  const auto table = [&options] {
    const TempFolder folder;
    write_synthetic_competition(folder.path(), options);
    return read_csv(folder.path() + "/train/train.csv").rows;
  };
  const auto first = table();
  EXPECT_EQ(first, table());
  options.seed = 1;
  EXPECT_NE(first, table());
}

TEST(SyntheticCompetition, WrongLabelsOnRequest) {
  SyntheticOptions options;
  options.people = 40;
  options.width = options.height = 16;
  const auto classes = [&options] {
    const TempFolder folder;
    write_synthetic_competition(folder.path(), options);
    std::vector<std::string> warnings;
    std::vector<int> result;
    for (const Person& person : read_people(folder.path() + "/train/train.csv", warnings)) {
      result.push_back(person.gender_age_class());
    }
    return result;
  };
  const std::vector<int> right = classes();
  options.wrong_label_fraction = 0.25;
  const std::vector<int> wrong = classes();
  int different = 0;
  for (std::size_t i = 0; i < right.size(); ++i) different += right[i] != wrong[i];
  EXPECT_EQ(different, 10);
}

TEST(SyntheticCompetition, ErrorsBeforeAnythingIsWritten) {
  const TempFolder folder;
  SyntheticOptions options;
  options.people = 0;
  EXPECT_THROW(write_synthetic_competition(folder.path(), options), ValueError);
  options.people = 1;
  options.wrong_label_fraction = 1.5;
  EXPECT_THROW(write_synthetic_competition(folder.path(), options), ValueError);
  options.wrong_label_fraction = 0;
  const std::string file = folder.write("file", std::string("text"));
  EXPECT_THROW(write_synthetic_competition(file + "/below", options), IoError);
  folder.write("full/train/train.csv", std::string("text"));
  EXPECT_THAT(message_of<ValueError>(
                  [&] { write_synthetic_competition(folder.path() + "/full", options); }),
              HasSubstr("already holds train or eval"));
}

}  // namespace
}  // namespace hanok::data
