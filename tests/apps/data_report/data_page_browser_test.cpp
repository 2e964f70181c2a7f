// The page of `inspect data --report` in a browser, with every section that it can have.
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/inspection/inspect.h"
#include "tests/apps/data_report/pictures.h"
#include "tests/apps/faces/made_up_finder.h"
#include "tests/apps/program.h"
#include "tests/support/browser.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using Texts = std::vector<std::string>;

const std::string kClass = "<script>alert(1)<";
const std::string kFile = "it's \"A\" & <img src=x onerror=alert(2)>.png";

/// Persons p0 to p19 with photographs of two classes; files twice in both classes, dark, tiny and
/// unreadable ones.
std::string draw_problems(const std::string& photos) {
  for (const std::string& name : {kClass, std::string("cat & \"dog\"")}) {
    fs::create_directories(photos + "/" + name);
    const bool first = name == kClass;
    for (unsigned i = 0; i < 40; ++i) {
      data::Image image = collage(i + (first ? 0 : 100));
      if (first) {  // brighter than the other class
        for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(80 + value / 2);
      }
      write(fmt::format("{}/{}/p{}_{}.png", photos, name, i / 2 + (first ? 0 : 20), i % 2),
            data::encode_png(image));
    }
  }
  const std::string other = photos + "/cat & \"dog\"/";
  for (unsigned i = 0; i < 4; ++i) {
    fs::copy_file(fmt::format("{}/{}/p{}_0.png", photos, kClass, i),
                  fmt::format("{}copy{}.png", other, i));
    data::Image dark = collage(200 + i);
    for (std::uint8_t& value : dark.pixels) value /= 40;
    write(fmt::format("{}night{}.png", other, i), data::encode_png(dark));
    write(fmt::format("{}tiny{}.png", other, i), data::encode_png(collage(300 + i, 20, 14)));
    write_text(fmt::format("{}broken{}.png", other, i), "nothing");
  }
  write(photos + "/" + kClass + "/" + kFile, data::encode_jpeg(collage(100), 70));
  write_text(photos + "/.hidden", "");
  return photos;
}

TEST(DataPageInABrowser, ShowsEverySectionAndRunsNoName) {
  if (find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  const TemporaryFolder folder;
  const std::string photos = draw_problems(folder / "photos");
  fs::create_directories(folder / "test");
  for (unsigned i = 0; i < 30; ++i) {
    write(fmt::format("{}/<b>{}.png", folder / "test", i),
          data::encode_png(collage(500 + i, 200, 150)));
  }
  fs::copy_file(photos + "/" + kClass + "/" + kFile, folder / ("test/" + kFile));
  RecordingReporter reporter;
  inspection::inspect_data({.data = photos,
                            .report = folder / "page.html",
                            .against = folder / "test",
                            .faces = true,
                            .make_finder = make_made_up_finder},
                           reporter);
  const BrowserReport report = open_in_browser(folder / "page.html", {.name = "data",
                                                                      .script = R"js(
    function texts(selector) {
      return Array.from(document.querySelectorAll(selector)).map(function (one) {
        return one.textContent;
      });
    }
    var counts = Array.from(document.querySelectorAll("table.sortable, table")).find(
        function (table) { return /^Images and groups/.test(table.textContent); });
    return JSON.stringify({
      sections: Array.from(document.querySelectorAll("h2")).map(function (one) { return one.id; }),
      classes: Array.from(counts.tBodies[0].rows).map(function (row) {
        return row.cells[0].textContent + ": " + row.cells[1].textContent;
      }),
      names: texts(".gallery b"), cells: texts("td.text"),
      texts: Array.from(document.querySelectorAll("img")).map(function (one) { return one.alt; }),
      scripts: document.querySelectorAll("script").length,
      warnings: texts("p.warning")
    });
  )js",
                                                                      .height = 14000});
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_GT(report.clicks, 40);
  const nlohmann::json seen = nlohmann::json::parse(report.result);
  EXPECT_THAT(seen.at("sections").get<Texts>(),
              IsSupersetOf({"summary", "classes", "duplicates", "shortcuts", "facts", "means",
                            "odd", "sheets", "files", "faces"}));
  EXPECT_EQ(seen.at("scripts"), 2);  // the page's own, and the one of this test
  EXPECT_THAT(seen.at("classes").get<Texts>(),
              ::testing::UnorderedElementsAre("<script>alert(1)<: 41", "cat & \"dog\": 56"));
  const std::string path = kClass + "/" + kFile;
  EXPECT_THAT(seen.at("names").get<Texts>(), Contains(path));
  EXPECT_THAT(seen.at("texts").get<Texts>(), Contains(path));
  EXPECT_THAT(seen.at("cells").get<Texts>(), Contains(HasSubstr(path)));
  EXPECT_THAT(seen.at("warnings").get<Texts>(), Contains(HasSubstr("in different classes")));
}

}  // namespace
}  // namespace hanok::test
