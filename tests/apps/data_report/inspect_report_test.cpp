// inspect data --report, --groups-out and --group, as a user runs them.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "hanok/data/dataset.h"
#include "tests/apps/data_report/pictures.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

/// Photographs of two classes, one called <script>; among them an equal file across classes, a near
/// duplicate across groups, a dark and an unreadable one.
class DataReport : public ::testing::Test {
 protected:
  DataReport() {
    fs::create_directories(folder_ / "photos/<script>");
    fs::create_directories(folder_ / "photos/cat");
    for (unsigned i = 0; i < 8; ++i) {
      const std::string name = "p" + std::to_string(i / 2) + "_" + std::to_string(i % 2) + ".png";
      write(folder_ / ("photos/<script>/" + name), data::encode_png(collage(i)));
      write(folder_ / ("photos/cat/q" + name), data::encode_png(collage(100 + i)));
    }
    write(folder_ / "photos/cat/other.jpg", data::encode_jpeg(collage(0), 60));
    fs::copy_file(folder_ / "photos/cat/qp0_0.png", folder_ / "photos/<script>/alert(1)'\"&.png");
    const data::Image dark = {80, 80, std::vector<std::uint8_t>(std::size_t{3} * 80 * 80, 3)};
    write(folder_ / "photos/cat/night.png", data::encode_png(dark));
    write_text(folder_ / "photos/cat/broken.png", "nothing");
  }

  Outcome inspect(const Arguments& more) const {
    return run_program("inspect", Arguments{"data", folder_ / "photos"} + more);
  }

  TemporaryFolder folder_;
};

TEST_F(DataReport, PageSaysWhatWasFoundAndEscapesNames) {
  const Outcome outcome = inspect({"--report", folder_ / "page.html"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("unreadable: 1\n"), HasSubstr("What to look at first"),
                    HasSubstr("2 photographs are shown in different classes"),
                    HasSubstr("1 dark photograph"), HasSubstr("wrote " + folder_ / "page.html")));
  const std::string page = read_text(folder_ / "page.html");
  EXPECT_THAT(page, AllOf(HasSubstr("&lt;script&gt;"), HasSubstr("near duplicates, across classes"),
                          HasSubstr("data:image/jpeg;base64,"), HasSubstr("Mean photograph"),
                          HasSubstr("broken.png"), Not(HasSubstr("/<script>/")),
                          Not(HasSubstr("'\"&.png"))));
  EXPECT_LT(page.size(), std::size_t{1} << 20);
  // The same bytes for any number of threads.
  inspect({"--report", folder_ / "again.html", "--threads", "3"});
  EXPECT_EQ(read_text(folder_ / "again.html"), page);
}

TEST_F(DataReport, ProposedGroupsKeepDuplicatesTogether) {
  EXPECT_THAT(inspect({"--groups-out", folder_ / "groups.csv"}).output,
              HasSubstr("photographs are shown in different groups"));
  const Outcome grouped = inspect({"--group", folder_ / "groups.csv"});
  EXPECT_EQ(grouped.exit_code, 0) << grouped.output;
  EXPECT_THAT(grouped.output,
              AllOf(HasSubstr("by groups.csv"), Not(HasSubstr("shown in different groups"))));
  const Outcome run =
      finetune({"--data", folder_ / "photos", "--group", folder_ / "groups.csv", "--model", "lenet",
                "--weights", "none", "--image-size", "32", "--folds", "2", "--max-steps", "1",
                "--allow-bad", "--out", folder_ / "run"});
  EXPECT_EQ(run.exit_code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("groups kept together"));
}

TEST_F(DataReport, BadFilesAreRefusedBeforeAnImageIsDecoded) {
  const auto expect = [this](const Arguments& more, const std::string& text) {
    const Outcome outcome = inspect(more);
    EXPECT_THAT(outcome.exit_code, ::testing::AnyOf(1, 2)) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr(text), Not(HasSubstr("unreadable"))));
  };
  expect({"--report", folder_ / "nowhere/page.html"}, "--report: " + folder_ / "nowhere");
  expect({"--report", folder_ / "photos/cat/night.png"}, "must end with .html");
  expect({"--groups-out", "/proc/groups.csv"}, "--groups-out: /proc/groups.csv");
  expect({"--group", folder_ / "nowhere.csv"}, "nowhere.csv");
  expect({"--group", "some"}, "--group: expects one of auto, none, or a table");
  expect({"--features", "resnet999"}, "--features: no network is called 'resnet999'");
  write_text(folder_ / "groups.csv", "path,group\ncat/night.png,1\n");
  expect({"--group", folder_ / "groups.csv"}, "samples have no group");
  std::string all = "path,group\n";
  for (const data::Sample& sample : data::load_dataset(folder_ / "photos").samples) {
    all += "\"" + std::regex_replace(sample.path, std::regex("\""), "\"\"") + "\",1\n";
  }
  write_text(folder_ / "groups.csv", all);
  expect({"--group", folder_ / "groups.csv", "--groups-out", folder_ / "groups.csv"},
         "--groups-out: " + folder_ / "groups.csv" + ": this command reads that file");
  const Outcome missing =
      run_program("inspect", {"data", folder_ / "none", "--report", folder_ / "page.html"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_FALSE(fs::exists(folder_ / "page.html"));
}

TEST_F(DataReport, AFeatureNetworkWithoutWeightsIsRefused) {
  write_text(folder_ / "empty.pth", "");
  const Outcome outcome =
      inspect({"--features", "lenet", "--features-weights", folder_ / "empty.pth"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("empty.pth"), Not(HasSubstr("unreadable"))));
}

}  // namespace
}  // namespace hanok::test
