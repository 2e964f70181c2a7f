// Pictures as half blocks of a terminal.
#include "hanok/apps/prediction/terminal_picture.h"

#include <gtest/gtest.h>

#include "hanok/apps/prediction/picture_text.h"

namespace hanok::training {
namespace {

const std::string kBlock = "\u2580";  // the upper half

/// Two columns: red over green and grey over grey; below them a row of blue.
data::Image small_picture() {
  data::Image picture = plain_picture(2, 3, {128, 128, 128});
  fill_rectangle(picture, {0, 0, 1, 1}, {255, 0, 0});
  fill_rectangle(picture, {0, 1, 1, 1}, {0, 255, 0});
  fill_rectangle(picture, {0, 2, 2, 1}, {0, 0, 250});
  return picture;
}

TEST(TerminalPicture, ACharacterIsTwoPixels) {
  EXPECT_EQ(terminal_text({small_picture()}, TextColors::All, 1),
            " \x1b[38;2;255;0;0;48;2;0;255;0m" + kBlock +
                "\x1b[38;2;128;128;128;48;2;128;128;128m" + kBlock +
                "\x1b[0m\n"
                " \x1b[38;2;0;0;250;49m" +
                kBlock + "\x1b[38;2;0;0;250;49m" + kBlock + "\x1b[0m\n");
}

TEST(TerminalPicture, OfAPaletteTheNearestColorsAreTaken) {
  EXPECT_EQ(terminal_text({small_picture()}, TextColors::Palette256, 0),
            "\x1b[38;5;196;48;5;46m" + kBlock + "\x1b[38;5;244;48;5;244m" + kBlock +
                "\x1b[0m\n\x1b[38;5;21;49m" + kBlock + "\x1b[38;5;21;49m" + kBlock + "\x1b[0m\n");
}

TEST(TerminalPicture, PicturesOfDifferentHeightsStandSideBySide) {
  const data::Image low = plain_picture(1, 2, {1, 2, 3}), high = plain_picture(1, 4, {4, 5, 6});
  const std::string low_line = "\x1b[38;2;1;2;3;48;2;1;2;3m" + kBlock + "\x1b[0m";
  const std::string high_line = "\x1b[38;2;4;5;6;48;2;4;5;6m" + kBlock + "\x1b[0m";
  EXPECT_EQ(terminal_text({low, high}, TextColors::All, 0),
            low_line + "  " + high_line + "\n   " + high_line + "\n");
}

TEST(TerminalPicture, WithoutColorsThereIsNone) {
  EXPECT_EQ(terminal_text({small_picture()}, TextColors::None, 2), "");
}

}  // namespace
}  // namespace hanok::training
