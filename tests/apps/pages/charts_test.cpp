#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <string>

#include "hanok/apps/pages/svg_canvas.h"
#include "hanok/apps/pages/svg_charts.h"
#include "hanok/kernels/base/error.h"

namespace hanok::pages {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Scale, TicksAreRoundAndCoverTheValues) {
  const Scale scale({}, {0.13, 0.87}, 0, 100);
  EXPECT_EQ(scale.ticks().size(), 6U);
  EXPECT_NEAR(scale.ticks().front(), 0, 1e-12);
  EXPECT_NEAR(scale.ticks().back(), 1, 1e-12);
  EXPECT_GE(scale(0.13), 0);
  EXPECT_LE(scale(0.87), 100);
}

TEST(Scale, KeepsAGivenRange) {
  const Scale scale({.low = 0, .high = 1}, {0.4}, 10, 20);
  EXPECT_DOUBLE_EQ(scale(0), 10);
  EXPECT_DOUBLE_EQ(scale(1), 20);
  EXPECT_DOUBLE_EQ(scale(0.5), 15);
}

TEST(Scale, LogarithmicTicksArePowersOfTen) {
  const Scale scale({.logarithmic = true}, {3, 700}, 0, 3);
  EXPECT_THAT(scale.ticks(), ElementsAre(1, 10, 100, 1000));
  EXPECT_NEAR(scale(10), 1, 1e-12);
}

TEST(Scale, OneValueAndNoneHaveARange) {
  EXPECT_TRUE(std::isfinite(Scale({}, {5}, 0, 1)(5)));
  EXPECT_TRUE(std::isfinite(Scale({}, {0}, 0, 1)(0)));
  EXPECT_TRUE(std::isfinite(Scale({}, {NAN}, 0, 1)(0.5)));
  EXPECT_TRUE(std::isfinite(Scale({.logarithmic = true}, {10}, 0, 1)(10)));
}

TEST(Charts, ALineStopsWhereAValueIsMissing) {
  SvgCanvas canvas(10, 10);
  canvas.path({0, 1, 2, 3}, {0, NAN, 2, 3}, kInk, false);
  EXPECT_THAT(canvas.finish("", ""), HasSubstr("d=\"M0.0 0.0M2.0 2.0L3.0 3.0\""));
}

TEST(Charts, NumbersOfTheAxisLeaveRoomForItsName) {
  const std::string svg = to_svg(LineChart{.title = "learning rate",
                                           .y = {.label = "learning rate"},
                                           .series = {{.x = {1, 2}, .y = {4e-5, 4.006e-5}}}});
  // The name stands upright at x = 14, 12 pixels high: it ends at 20.
  const std::regex number("<text x=\"([0-9.]+)\"[^>]*font-size=\"11\"[^>]*end\">([^<]*e-05)<");
  int numbers = 0;
  for (std::sregex_iterator at(svg.begin(), svg.end(), number), end; at != end; ++at, ++numbers) {
    EXPECT_GE(std::stod((*at)[1]) - text_width((*at)[2]) * 11 / 12, 20) << (*at)[2];
  }
  EXPECT_GT(numbers, 3) << svg;
}

TEST(Charts, BarsAreAsLongAsTheirValues) {
  const BarChart chart{.title = "b",
                       .categories = {"whole", "half"},
                       .values = {.label = "share", .low = 0, .high = 1},
                       .series = {{.values = {1, 0.5}}}};
  const std::string svg = to_svg(chart);
  // The plot is 660 - 60 - 66 pixels wide.
  EXPECT_THAT(svg, HasSubstr("width=\"534.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"267.0\""));
  EXPECT_THAT(svg, HasSubstr("<title>whole: 1</title>"));
}

TEST(Charts, BarsEndWithARangeThatWasGiven) {
  const BarChart chart{.title = "b",
                       .categories = {"beyond"},
                       .values = {.label = "ratio", .low = 0, .high = 5},
                       .series = {{.values = {40}, .low = {30}, .high = {50}}}};
  const std::string svg = to_svg(chart);
  EXPECT_THAT(svg, HasSubstr("width=\"534.0\""));  // the plot's whole width
  EXPECT_THAT(svg, Not(HasSubstr("x2=\"5400.0\"")));
  EXPECT_THAT(svg, HasSubstr(">40</text>"));
}

TEST(Charts, LinesAreCutOffAtThePlot) {
  const std::string svg =
      to_svg(LineChart{.y = {.low = 0, .high = 1}, .series = {{.x = {1, 2}, .y = {0.5, 9}}}});
  // The plot begins at (64, 14) and is 576 x 280 pixels large; points on its edge have room.
  EXPECT_THAT(svg, HasSubstr("<svg x=\"60.0\" y=\"10.0\" width=\"584.0\" height=\"288.0\" "
                             "viewBox=\"60.0 10.0 584.0 288.0\">"));
}

TEST(Charts, LabelsAtTheRightEdgeStandToTheLeft) {
  const LineChart chart{.series = {{.x = {1, 10}, .y = {1, 2}}},
                        .marks = {{1, "first epoch"}, {10, "last epoch"}}};
  const std::string svg = to_svg(chart);
  EXPECT_THAT(svg, HasSubstr("text-anchor=\"start\">first epoch"));
  EXPECT_THAT(svg, HasSubstr("text-anchor=\"end\">last epoch"));
}

TEST(Charts, CellsAreColouredByTheirShareOfTheRow) {
  const HeatMap map{.title = "m", .values = {{3, 1}, {0, 0}}, .by_row = true};
  const std::string svg = to_svg(map);
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.76\""));  // 0.04 + 0.96 * 3/4
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.28\""));
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.04\""));
}

TEST(Charts, NamesAreEscaped) {
  const std::string svg = to_svg(BarChart{
      .title = "<b>", .categories = {"<script>"}, .series = {{.name = "a&b", .values = {1}}}});
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(svg, HasSubstr("a&amp;b"));
}

TEST(Charts, RefuseListsOfDifferentLengths) {
  EXPECT_THROW(to_svg(LineChart{.series = {{.x = {1, 2}, .y = {1}}}}), ValueError);
  EXPECT_THROW(to_svg(LineChart{.series = {{.x = {1}, .y = {1}, .low = {0}}}}), ValueError);
  EXPECT_THROW(to_svg(BarChart{.categories = {"a"}, .series = {{.values = {1, 2}}}}), ValueError);
  EXPECT_THROW(to_svg(HeatMap{.values = {{1, 2}, {1}}}), ValueError);
  EXPECT_THROW(to_svg(HeatMap{.rows = {"a"}, .values = {{1}, {1}}}), ValueError);
}

TEST(Charts, EmptyOnesAreDrawn) {
  EXPECT_THAT(to_svg(LineChart{}), HasSubstr("</svg>"));
  EXPECT_THAT(to_svg(BarChart{}), HasSubstr("</svg>"));
  EXPECT_THAT(to_svg(ScatterChart{}), HasSubstr("</svg>"));
  EXPECT_THAT(to_svg(HeatMap{}), HasSubstr("</svg>"));
}

TEST(Charts, AreDescribedInWords) {
  EXPECT_EQ(describe(LineChart{.x = {.label = "epoch"},
                               .y = {.label = "loss"},
                               .series = {{.name = "fold 0", .x = {1, 2, 3}, .y = {2, 0.5, NAN}}}}),
            "loss over epoch. fold 0 from 2 at 1 to 0.5 at 2, lowest 0.5, highest 2");
  EXPECT_EQ(describe(HeatMap{.rows = {"a", "b"}, .columns = {"c"}, .values = {{1}, {7}}}),
            "2 rows and 1 columns; the largest value is 7, in row b, column c.");
}

TEST(Charts, AreTablesToo) {
  EXPECT_THAT(
      to_rows(BarChart{.categories = {"a"},
                       .values = {.label = "share"},
                       .series = {{.values = {0.5}, .low = {0.4}, .high = {0.6}}}}),
      ElementsAre(ElementsAre("", "share", "from", "to"), ElementsAre("a", "0.5", "0.4", "0.6")));
}

TEST(Charts, LongNamesAreShortened) {
  EXPECT_EQ(shortened("short", 100), "short");
  EXPECT_LE(text_width(shortened(std::string(100, 'w'), 80)), 80);
  EXPECT_EQ(shortened("\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC", 27),
            "\xC3\xBC\xC3\xBC\xC3\xBC…");
}

TEST(Charts, NumbersAreShort) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(0.51234567), "0.5123");
  EXPECT_EQ(short_number(123456), "123456");
  EXPECT_EQ(short_number(NAN), "-");
}

TEST(Scale, ALogarithmicAxisBeginsAbove0) {
  EXPECT_THROW(Scale({.logarithmic = true, .low = 0, .high = 10}, {}, 0, 1), ValueError);
  // A value of 0 has no place on it and is left out.
  const std::string svg = to_svg(ScatterChart{
      .y = {.logarithmic = true}, .series = {{.name = "s", .x = {1, 2}, .y = {0, 10}}}});
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Charts, PointsHaveTheirLabelsBesideThem) {
  const ScatterChart chart{.title = "points",
                           .x = {.label = "speed"},
                           .y = {.label = "error", .logarithmic = true},
                           .series = {{.name = "one",
                                       .x = {1, 1.01, 2},
                                       .y = {1e-3, 1e-3, 1e-1},
                                       .labels = {"first", "second", "third"}}}};
  const std::string svg = to_svg(chart);
  // The first cannot stand to the right, where the second point is; the third is at the edge.
  const std::regex text("<text x=\"([0-9.]+)\" y=\"([0-9.]+)\"[^>]*>(first|second|third)<");
  std::map<std::string, double> lefts, bottoms;
  for (std::sregex_iterator at(svg.begin(), svg.end(), text), end; at != end; ++at) {
    lefts[(*at)[3]] = std::stod((*at)[1]);
    bottoms[(*at)[3]] = std::stod((*at)[2]);
  }
  ASSERT_EQ(lefts.size(), 3U) << svg;
  EXPECT_LE(bottoms["first"] + 12, bottoms["second"]);
  EXPECT_LT(lefts["third"] + text_width("third") * 11 / 12, 640);
  EXPECT_THAT(describe(chart), HasSubstr("one second 0.001 at 1.01"));
  EXPECT_THAT(to_rows(chart), ::testing::Contains(ElementsAre("one third", "2", "0.1")));
  EXPECT_THROW(to_svg(ScatterChart{.series = {{.x = {1, 2}, .y = {1, 2}, .labels = {"a"}}}}),
               ValueError);
}

TEST(Charts, AScatterChartMayShowWhereBothAxesAreEqual) {
  ScatterChart chart{.x = {.low = 0, .high = 1},
                     .y = {.low = 0, .high = 1},
                     .series = {{.x = {0.5}, .y = {0.25}}},
                     .diagonal = true};
  EXPECT_THAT(to_svg(chart), HasSubstr("stroke-dasharray"));
  chart.diagonal = false;
  EXPECT_THAT(to_svg(chart), Not(HasSubstr("stroke-dasharray")));
}

}  // namespace
}  // namespace hanok::pages
