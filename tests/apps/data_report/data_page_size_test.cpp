// The page stays small, and names what it leaves out, whatever 10,000 photographs are like.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

#include "hanok/apps/data_report/data_page.h"
#include "hanok/apps/data_report/train_against_test.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "tests/apps/data_report/pictures.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using data_report::ImageFacts;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kPhotographs = 10'000;

/// 10,000 names of one noisy photograph, which is hard to compress, in 20 classes; each
/// photograph's facts are its facts, with a content of its own.
class DataPageOfThousands : public ::testing::Test {
 protected:
  DataPageOfThousands() {
    data::Image noise{.width = 120, .height = 120, .pixels = {}};
    std::mt19937 random(1);
    noise.pixels.resize(std::size_t{3} * 120 * 120);
    for (std::uint8_t& value : noise.pixels) value = static_cast<std::uint8_t>(random());
    write(folder_ / "noise.png", data::encode_png(noise));
    dataset_.root = folder_.path();
    dataset_.layout = "folder";
    for (std::size_t c = 0; c < 20; ++c) {
      dataset_.class_names.push_back(fmt::format("class & {:02}", c));
      std::filesystem::create_directory(folder_ / dataset_.class_names.back());
    }
    ImageFacts one = data_report::measure_image(folder_ / "noise.png");
    std::fill(one.small.pixels.begin(), one.small.pixels.end(), 128);  // no near duplicates
    for (std::size_t i = 0; i < kPhotographs; ++i) {
      const std::string path = fmt::format("{}/a photograph's \"long\" & usual name, {:05}.png",
                                           dataset_.class_names[i % 20], i);
      std::filesystem::create_symlink(folder_ / "noise.png", folder_ / path);
      dataset_.samples.push_back(
          {.path = path, .label = static_cast<std::int64_t>(i % 20), .group = path});
      facts_.push_back(one);
      facts_.back().content_hash = i;
    }
  }

  std::string page(const data_report::DataFindings& findings,
                   std::vector<pages::Block> more = {}) const {
    return pages::to_html(data_report::data_page(
        {.dataset = dataset_, .facts = facts_, .findings = findings, .more = std::move(more)}));
  }
  std::string text(const data_report::DataFindings& findings, bool all) const {
    return pages::to_text(
        data_report::data_text({.dataset = dataset_, .facts = facts_, .findings = findings}, all));
  }
  static void expect_small(const std::string& html) {
    EXPECT_LT(html.size(), pages::kMostPageBytes);
    RecordProperty("bytes", static_cast<int>(html.size()));
  }

  TemporaryFolder folder_;
  data::Dataset dataset_;
  std::vector<ImageFacts> facts_;
};

TEST_F(DataPageOfThousands, AllDifferent) {
  expect_small(page(data_report::find_all(dataset_, facts_)));
}

TEST_F(DataPageOfThousands, AllEqual) {
  for (ImageFacts& facts : facts_) facts.content_hash = 7;
  const data_report::DataFindings findings = data_report::find_all(dataset_, facts_);
  ASSERT_EQ(findings.duplicates.size(), 1U);
  const std::string html = page(findings);
  expect_small(html);
  EXPECT_THAT(html, HasSubstr("and 9994 more"));
  EXPECT_THAT(text(findings, false), HasSubstr("and 9994 more"));
  EXPECT_THAT(text(findings, true),
              AllOf(HasSubstr("name, 09999.png"), Not(HasSubstr("and 9994 more"))));
}

TEST_F(DataPageOfThousands, AllInPairs) {
  for (std::size_t i = 0; i < kPhotographs; ++i) facts_[i].content_hash = i / 2;
  const data_report::DataFindings findings = data_report::find_all(dataset_, facts_);
  ASSERT_EQ(findings.duplicates.size(), kPhotographs / 2);
  const std::string html = page(findings);
  expect_small(html);
  EXPECT_THAT(html, AllOf(HasSubstr("5,000 photographs are shown more than once"),
                          HasSubstr("4000 of the 5000 rows are not on this page: <code>inspect "
                                    "data</code> with <span class=\"option\">--all</span>")));
  EXPECT_THAT(text(findings, false), HasSubstr("and 4980 more: --all lists them"));
}

TEST_F(DataPageOfThousands, AllUnreadable) {
  for (std::size_t i = 0; i < kPhotographs; ++i) {
    facts_[i] = {.problem = dataset_.full_path(i) + ": text and not an image: 'nothing'"};
  }
  const data_report::DataFindings findings = data_report::find_all(dataset_, facts_);
  const std::string html = page(findings);
  expect_small(html);
  EXPECT_THAT(html, AllOf(HasSubstr("10,000 photographs cannot be read"),
                          HasSubstr("9000 of the 10000 rows are not on this page")));
}

TEST_F(DataPageOfThousands, AllOddAndInTheTestToo) {
  for (ImageFacts& facts : facts_) {
    facts.brightness = 1;
    facts.contrast = 1;
    facts.width = 300;
    facts.height = 10;
    facts.sharpness = 0;
    facts.content_hash = 7;
  }
  const data_report::AgainstReport against = data_report::train_against_test(
      {.dataset = dataset_, .facts = facts_}, {.dataset = dataset_, .facts = facts_});
  EXPECT_EQ(against.duplicates.size(), 20 * kPhotographs);
  const data_report::DataFindings findings = data_report::find_all(dataset_, facts_);
  EXPECT_GT(findings.odd.size(), kPhotographs);
  const std::string html = page(findings, data_report::against_blocks(against));
  expect_small(html);
  EXPECT_THAT(html, HasSubstr("199000 of the 200000 rows are not on this page"));
}

}  // namespace
}  // namespace hanok::test
