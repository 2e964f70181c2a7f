// External collections: files that are broken on purpose, and real photographs. These tests are
// skipped with a message if they are missing.
#include <algorithm>
#include <gmock/gmock.h>
#include <set>
#include <sstream>

#include "hanok/data/dataset.h"
#include "hanok/data/image.h"
#include "hanok/data/splits.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::shared_data;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Pair;
using testing::StartsWith;

#define SKIP_WITHOUT_SHARED_DATA() \
  if (shared_data().empty()) GTEST_SKIP() << "../shared/data is not here: this test did not run"

/// One line of broken/EXPECT.tsv.
struct Expectation {
  std::string file, what, outcome, size, mean;
};

std::vector<Expectation> expectations() {
  std::ifstream table(shared_data() + "/broken/EXPECT.tsv");
  std::vector<Expectation> result;
  std::string line;
  std::getline(table, line);  // the header
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    Expectation e;
    for (std::string* field : {&e.file, &e.what, &e.outcome, &e.size, &e.mean}) {
      std::getline(fields, *field, '\t');
    }
    result.push_back(e);
  }
  return result;
}

void expect_decodes(const Expectation& e, const std::string& path) {
  SCOPED_TRACE(e.file + ": " + e.what);
  Image image;
  ASSERT_NO_THROW(image = decode_image_file(path));
  EXPECT_EQ(std::to_string(image.width) + "x" + std::to_string(image.height), e.size);
  double sum[3] = {};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) sum[i % 3] += image.pixels[i];
  std::istringstream means(e.mean);
  for (const double channel : sum) {
    double expected = -1;
    means >> expected;
    EXPECT_NEAR(channel / (static_cast<double>(image.pixels.size()) / 3), expected, 1.0);
  }
}

/// The rows of a table as read by the competition's loader; with its photographs if the table is
/// valid.
void expect_table(const Expectation& e, const std::string& path) {
  SCOPED_TRACE(e.file + ": " + e.what);
  std::vector<std::string> warnings;
  if (e.outcome == "error") {
    EXPECT_THAT(test::message_of<FormatError>([&] { read_people(path, warnings); }),
                StartsWith(path));
    return;
  }
  std::vector<Person> people;
  ASSERT_NO_THROW(people = read_people(path, warnings));
  ASSERT_FALSE(people.empty());
  const test::TempFolder folder;
  test::fs::copy_file(path, folder.path() + "/train.csv");
  for (const Person& person : people) {
    folder.write("images/" + person.path + "/mask1.jpg", std::string("image"));
  }
  const Dataset dataset = load_competition(folder.path());
  EXPECT_EQ(dataset.samples.size(), people.size());
  if (e.file == "duplicate_id.csv") {
    EXPECT_THAT(warnings, Contains(HasSubstr("occurs twice")));
    std::set<std::string> groups;
    for (const Sample& sample : dataset.samples) groups.insert(sample.group);
    EXPECT_LT(groups.size(), people.size());
  } else {
    EXPECT_TRUE(warnings.empty());
  }
}

TEST(SharedData, EveryBrokenFileDoesAsExpected) {
  SKIP_WITHOUT_SHARED_DATA();
  constexpr const char* kFormats[] = {"GIF:", "WebP:", "BMP:"};
  int images = 0, tables = 0;
  for (const Expectation& e : expectations()) {
    const std::string path = shared_data() + "/broken/" + e.file;
    if (e.file.ends_with(".csv")) {
      expect_table(e, path);
      ++tables;
      continue;
    }
    ++images;
    if (e.outcome == "decode") {
      expect_decodes(e, path);
      continue;
    }
    // The table counts these formats as unsupported; they are decoded whatever their names are.
    const bool supported = std::any_of(std::begin(kFormats), std::end(kFormats),
                                       [&e](const char* f) { return e.what.rfind(f, 0) == 0; });
    if (supported) {
      expect_decodes({e.file, e.what, "decode", "120x80", "133.47 125.63 123.13"}, path);
      continue;
    }
    const std::string message = test::message_of<FormatError>([&] { decode_image_file(path); });
    EXPECT_THAT(message, StartsWith(path)) << e.file;
  }
  EXPECT_EQ(images, 35);
  EXPECT_EQ(tables, 13);
}

TEST(SharedData, CompetitionMiniLoadsWithItsQuirks) {
  SKIP_WITHOUT_SHARED_DATA();
  const std::string root = shared_data() + "/competition-mini";
  const Dataset dataset = load_dataset(root);
  EXPECT_EQ(dataset.layout, "competition");
  EXPECT_EQ(dataset.samples.size(), 42U * 7U);
  EXPECT_THAT(dataset.skipped, Contains(Key(HasSubstr("AppleDouble"))));
  EXPECT_THAT(dataset.skipped, Contains(Key(HasSubstr(".DS_Store"))));
  std::set<std::string> extensions, people;
  for (const Sample& sample : dataset.samples) {
    extensions.insert(test::fs::path(sample.path).extension().string());
    people.insert(sample.group);
  }
  EXPECT_EQ(extensions, (std::set<std::string>{".jpeg", ".jpg", ".png"}));
  EXPECT_EQ(people.size(), 42U);
  EXPECT_TRUE(people.count("000016-1") && people.count("000016"));
  EXPECT_EQ(load_dataset(root + "/train").samples.size(), dataset.samples.size());
  EXPECT_EQ(read_csv(root + "/eval/info.csv").rows.size(), 60U);
}

TEST(SharedData, CropsOfOneMaskPhotographShareAGroup) {
  SKIP_WITHOUT_SHARED_DATA();
  const Dataset dataset = load_dataset(shared_data() + "/masks3");
  EXPECT_EQ(dataset.layout, "folder");
  EXPECT_THAT(dataset.class_names,
              testing::ElementsAre("mask_worn_incorrectly", "with_mask", "without_mask"));
  EXPECT_THAT(dataset.class_counts(), testing::ElementsAre(606, 1121, 147));
  EXPECT_TRUE(dataset.has_groups);
  EXPECT_TRUE(dataset.warnings.empty());
  std::map<std::string, std::string> group_of_photograph;
  for (const Sample& sample : dataset.samples) {
    const std::string name = test::fs::path(sample.path).stem().string();
    const std::string photograph = name.substr(0, name.rfind('_'));
    const auto [place, first] = group_of_photograph.emplace(photograph, sample.group);
    EXPECT_EQ(place->second, sample.group) << sample.path;
    if (!first) {
      EXPECT_EQ(sample.group, photograph);
    }
  }
}

}  // namespace
}  // namespace hanok::data
