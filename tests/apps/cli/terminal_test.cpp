// What the terminal's environment says.
#include "hanok/apps/cli/terminal.h"

#include <gtest/gtest.h>

namespace hanok::training {
namespace {

TEST(Terminal, ColorsFollowItsEnvironment) {
  const auto colors = [](const std::string& term, const std::string& colorterm = "") {
    return colors_of_terminal({.term = term, .colorterm = colorterm});
  };
  EXPECT_EQ(colors("xterm-256color", "truecolor"), TextColors::All);
  EXPECT_EQ(colors("screen", "24bit"), TextColors::All);
  EXPECT_EQ(colors("xterm-direct"), TextColors::All);
  EXPECT_EQ(colors("xterm-256color"), TextColors::Palette256);
  EXPECT_EQ(colors("vt100"), TextColors::None);
  EXPECT_EQ(colors("dumb", "truecolor"), TextColors::None);
  EXPECT_EQ(colors(""), TextColors::None);
}

TEST(Terminal, NoColorForbidsThemAll) {
  EXPECT_EQ(
      colors_of_terminal({.no_color = "1", .term = "xterm-256color", .colorterm = "truecolor"}),
      TextColors::None);
}

}  // namespace
}  // namespace hanok::training
