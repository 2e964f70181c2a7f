#include "hanok/apps/pages/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/apps/pages/all_blocks.h"

namespace hanok::pages {
namespace {

using ::testing::HasSubstr;

std::string text_of(const Block& block, std::size_t width = 100) {
  const std::string text = to_text({.title = "t", .blocks = {block}}, width);
  return text.substr(4);  // behind the title and its line
}

TEST(PageText, WrapsParagraphsAtWords) {
  EXPECT_EQ(text_of(Paragraph{.text = "one two three"}, 8), "one two\nthree\n");
  EXPECT_EQ(text_of(Paragraph{.text = "look", .tone = Tone::Warning}), "warning: look\n");
}

TEST(PageText, AlignsTables) {
  EXPECT_EQ(
      text_of(Table{.columns = {"class", "n"}, .rows = {{"\xC3\xBC", "10"}, {"longer", "9"}}}),
      "  class   n\n  \xC3\xBC      10\n  longer  9\n");
}

TEST(PageText, CountsRowsThatItDoesNotShow) {
  Table table{.columns = {"a"}, .rows = {{"1"}, {"2"}, {"3"}}, .shown = 1};
  EXPECT_THAT(text_of(table), HasSubstr("  and 2 more\n"));
  table.where_all = "--all lists them";
  EXPECT_THAT(text_of(table), HasSubstr("  and 2 more: --all lists them\n"));
  table.shown = 3;
  EXPECT_THAT(text_of(table), ::testing::Not(HasSubstr("more")));
}

TEST(PageText, DrawsBars) {
  EXPECT_EQ(text_of(Figure{.chart = BarChart{.title = "b",
                                             .categories = {"a", "bb"},
                                             .series = {{.values = {1, 0.5}}},
                                             .reference = 0.25,
                                             .reference_name = "c"}}),
            "b\n  a           1 ##############################\n  bb        0.5 ###############\n"
            "  c        0.25\n");
}

TEST(PageText, HasEveryBlock) {
  const std::string text = to_text(all_blocks());
  for (const char* part :
       {"<script>alert(1)</script>", "warning: warning", "photographs", "Charts", "loss over epoch",
        "points", "chance", "truth", "p = 0.97", "in the terminal"}) {
    EXPECT_THAT(text, HasSubstr(part)) << part;
  }
}

}  // namespace
}  // namespace hanok::pages
