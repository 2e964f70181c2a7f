#include "hanok/apps/pages/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/pages/all_blocks.h"
#include "tests/apps/program.h"
#include "tests/support/browser.h"

namespace hanok::pages {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string html_of(const Block& block) { return to_html({.title = "t", .blocks = {block}}); }

TEST(Html, EscapesTextAndAttributes) {
  EXPECT_EQ(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(escape("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\xB7"),
            "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\xB7");
}

TEST(Html, ReplacesBytesThatAreNoText) {
  const std::string no_text = "\xEF\xBF\xBD";
  EXPECT_EQ(escape("a\xFF"
                   "b"),
            "a" + no_text + "b");                                  // no first byte
  EXPECT_EQ(escape("\xE2\x82"), no_text + no_text);                // cut off
  EXPECT_EQ(escape("\xC0\xAF"), no_text + no_text);                // overlong
  EXPECT_EQ(escape("\xED\xA0\x80"), no_text + no_text + no_text);  // a surrogate
  EXPECT_EQ(escape("\xF4\x90\x80\x80"), no_text + no_text + no_text + no_text);
  EXPECT_EQ(escape(std::string("a\0b\x1B", 4)), "a" + no_text + "b" + no_text);
  EXPECT_EQ(escape("a\nb\tc"), "a\nb\tc");
}

TEST(Html, NamesNeverBecomeMarkup) {
  const std::string html = to_html(all_blocks());
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(html, Not(HasSubstr("\"><img src=x")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(Html, AllowsNothingToBeFetched) {
  const std::string html = to_html(all_blocks());
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, Not(HasSubstr("src=\"http")));
  EXPECT_THAT(html, Not(HasSubstr("href=\"http")));
}

TEST(Html, FoldsAwayRowsBeyondThoseShown) {
  Table table{.caption = "many", .columns = {"name", "n"}, .shown = 2};
  for (int i = 0; i < 5; ++i) table.rows.push_back({"row", std::to_string(i)});
  EXPECT_THAT(html_of(table), HasSubstr("<summary>3 more rows</summary>"));
  table.shown = 5;
  EXPECT_THAT(html_of(table), Not(HasSubstr("more rows")));
}

TEST(Html, LeavesOutRowsThatWouldMakeThePageLarge) {
  Table table{.caption = "many",
              .columns = {"name", "n"},
              .shown = 2,
              .most = 4,
              .where_all = "`list` has all"};
  for (int i = 0; i < 4; ++i) table.rows.push_back({"row", std::to_string(i)});
  EXPECT_THAT(html_of(table), Not(HasSubstr("not on this page")));
  for (int i = 4; i < 9; ++i) table.rows.push_back({"row", std::to_string(i)});
  EXPECT_THAT(html_of(table),
              ::testing::AllOf(HasSubstr("<summary>2 more rows</summary>"), HasSubstr("<td>3</td>"),
                               Not(HasSubstr("<td>4</td>")),
                               HasSubstr("5 of the 9 rows are not on this page: <code>list</code> "
                                         "has all.")));
  table.shown = 30;
  EXPECT_THAT(html_of(table), Not(HasSubstr("<td>4</td>")));
  EXPECT_THAT(html_of(table), Not(HasSubstr("more rows")));
}

TEST(Html, MarksCommandsAndOptionsInSentences) {
  EXPECT_THAT(html_of(Paragraph{.text = "Use (`report <RUN> --out F`), or --crop face."}),
              HasSubstr("<p>Use (<code>report &lt;RUN&gt; <span class=\"option\">--out</span> "
                        "F</code>), or <span class=\"option\">--crop</span> face.</p>"));
  for (const char* name : {"a`b`c", "`a`b", "a `", "``", "a--b", "-- x", "`--x"}) {
    EXPECT_THAT(html_of(Paragraph{.text = name}), HasSubstr(std::string("<p>") + name + "</p>"));
  }
}

TEST(Html, ColumnsOfNumbersStandToTheRight) {
  const std::string html =
      html_of(Table{.columns = {"a", "b", "c"}, .rows = {{"x", "1", "y"}}, .text_columns = {2}});
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">x</th><td>1</td><td class=\"text\">y</td>"));
}

TEST(Html, RefusesRowsOfAnotherLengthThanTheHeader) {
  EXPECT_THROW(html_of(Table{.caption = "c", .columns = {"a", "b"}, .rows = {{"x"}}}), ValueError);
}

TEST(Html, EmbedsPicturesWithTheirText) {
  const Picture picture{
      .bytes = {'M', 'a', 'n', 'y'}, .mime = "image/png", .width = 3, .height = 2};
  const std::string html = html_of(Gallery{.tiles = {{picture, "a \"b\".png", {"label: x"}}}});
  EXPECT_THAT(html, HasSubstr("src=\"data:image/png;base64,TWFueQ==\" width=\"3\" height=\"2\" "
                              "alt=\"a &quot;b&quot;.png\""));
  EXPECT_THAT(html, HasSubstr("label: x"));
}

TEST(Html, RefreshesOnlyWhereRequested) {
  EXPECT_THAT(to_html({.title = "t"}), Not(HasSubstr("http-equiv=\"refresh\"")));
  EXPECT_THAT(to_html({.title = "t", .refresh_seconds = 30}),
              HasSubstr("http-equiv=\"refresh\" content=\"30\""));
}

TEST(Html, RefusesPagesThatAreTooLarge) {
  const test::TemporaryFolder folder;
  Page page{.title = "t"};
  page.blocks.emplace_back(Paragraph{.text = std::string(kMostPageBytes + 1, 'x')});
  EXPECT_THROW(write_page(folder / "page.html", page), ValueError);
  EXPECT_FALSE(training::exists(folder / "page.html"));
}

TEST(Html, PicturesAreScaledToTheirLongerSide) {
  data::Image image{.width = 200, .height = 100, .pixels = std::vector<std::uint8_t>(60000, 90)};
  const Picture small = thumbnail(image, 50);
  EXPECT_EQ(small.width, 50);
  EXPECT_EQ(small.height, 25);
  EXPECT_EQ(thumbnail(image, 500).width, 200);
}

TEST(Html, APageOfAllBlocksWorksInABrowser) {
  if (test::find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  const test::TemporaryFolder folder;
  write_page(folder / "page.html", all_blocks());
  const test::BrowserReport report = test::open_in_browser(
      folder / "page.html",
      {.name = "all-blocks",
       // After a click on each header the last column, n, is sorted: rows with text come last.
       .script = "var rows = document.querySelector('table.sortable').tBodies[0].rows;"
                 "return document.title + '|' + Array.from(rows).map(function (row) {"
                 "return row.cells[1].textContent; }).join(' ');"});
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_GT(report.clicks, 8);
  EXPECT_EQ(report.result, "<script>alert(1)</script>|9 80 700 many");
}

TEST(Html, ABrowserFindsWhatFails) {
  if (test::find_browser().empty()) GTEST_SKIP() << "no Chromium to open the page with";
  const test::TemporaryFolder folder;
  Page page{.title = "t"};
  page.blocks.emplace_back(Widget{.html = "<img src=\"http://example.invalid/x.png\" alt=\"\">"
                                          "<a href=\"http://example.invalid/\">out</a>"
                                          "<img src=\"data:image/png;base64,AAAA\">"
                                          "<a href=\"#nowhere\">away</a><p id=\"b\">b</p>"
                                          "<div style=\"width:3000px\">wide</div>"
                                          "<details><summary id=\"s\">s</summary>d</details>"
                                          "<button id=\"b\">b</button>",
                                  .script =
                                      "document.querySelector('button').onclick = function () {"
                                      "alert(1); throw new Error('from a click'); };"
                                      "document.getElementById('s').onclick = function () {"
                                      "return false; };"});
  write_page(folder / "page.html", page);
  const test::BrowserReport report =
      test::open_in_browser(folder / "page.html", {.name = "failing", .height = 300});
  for (const char* problem :
       {"policy: img-src", "leads out", "from a click", "alert was called",
        "a picture without a text", "no picture", "leads nowhere: #nowhere",
        "two elements have the id b", "stays folded", "wider than the window: <div style="}) {
    EXPECT_THAT(report.problems, ::testing::Contains(HasSubstr(problem)));
  }
}

}  // namespace
}  // namespace hanok::pages
