// Draws access patterns as SVG: one panel each, lanes above, banks or sectors below.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "tests/cuda/emulator/lab/access_pattern.h"

namespace hanok::emulator::lab {
namespace {

constexpr int kLeft = 90, kStep = 22, kBox = 18;
constexpr int kWidth = kLeft + 32 * kStep + 20;
constexpr int kPanel = 206;
constexpr double kTitleLetter = 8;  // average upper limit of a letter's width in pixels

/// Appends printf output to a string.
__attribute__((format(printf, 2, 3))) void put(std::string& out, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  out += text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '&') {
      result += "&amp;";
    } else {
      result += c;
    }
  }
  return result;
}

/// From green (best) to red.
const char* colour(int times) {
  return times <= 1 ? "#2e7d32" : times <= 2 ? "#9e9d24" : times <= 4 ? "#ef6c00" : "#c62828";
}

void box(std::string& out, double x, double y, double width, const char* fill, int number) {
  put(out, "<rect x='%.1f' y='%.1f' width='%.1f' height='%d' rx='3' fill='%s'/>\n", x, y, width,
      kBox, fill);
  if (number >= 0 && width >= 14) {
    put(out, "<text x='%.1f' y='%.1f' fill='white' text-anchor='middle'>%d</text>\n", x + width / 2,
        y + 13, number);
  }
}

/// One line: the access, its place and its cost.
std::pair<std::string, std::string> titles(const Pattern& pattern) {
  const bool one = pattern.worst_cost.actual == 1;
  const char* units = pattern.shared ? (one ? "pass" : "passes") : (one ? "sector" : "sectors");
  std::string costs;
  put(costs, "%d %s, best %d: ", pattern.worst_cost.actual, units, pattern.worst_cost.best);
  return {pattern.kernel + " " + pattern.line + ": " + (pattern.shared ? "shared " : "global ") +
              pattern.verb + " of " + std::to_string(pattern.bytes) + " bytes a lane",
          costs + verdict(pattern)};
}

int width_of(const std::vector<Pattern>& patterns) {
  std::size_t longest = 0;
  for (const Pattern& pattern : patterns) {
    const auto [what, costs] = titles(pattern);
    longest = std::max({longest, what.size(), costs.size()});
  }
  return std::max(kWidth, 20 + static_cast<int>(kTitleLetter * static_cast<double>(longest)));
}

void panel(std::string& out, const Pattern& pattern, int top) {
  const WarpAccess& access = pattern.worst;
  int title_y = top;
  const auto [what, costs] = titles(pattern);
  for (const std::string& title : {what, costs}) {
    put(out, "<text x='10' y='%d' font-size='13'>", title_y += 16);
    out += escaped(title) + "</text>\n";
  }
  const int lanes_y = top + 50, targets_y = top + 136;
  put(out, "<text x='10' y='%d'>lane</text><text x='10' y='%d'>%s</text>\n", lanes_y + 13,
      targets_y + 13, pattern.shared ? "bank" : "sector");

  // The target of a lane's first byte, and that target's load.
  const auto busy = words_of_banks(access);
  const auto sectors = sectors_of(access);
  const double sector_step =
      std::min(double{kStep}, 32.0 * kStep / std::max<std::size_t>(1, sectors.size()));
  const int excess =
      pattern.worst_cost.best == 0 ? 1 : pattern.worst_cost.actual / pattern.worst_cost.best;
  for (int lane = 0; lane < 32; ++lane) {
    const double x = kLeft + lane * kStep;
    if (access.bytes[lane] == 0) {
      box(out, x, lanes_y, kBox, "#bdbdbd", lane);
      continue;
    }
    double target = 0;
    const char* line = colour(excess);
    if (pattern.shared) {
      const int bank = static_cast<int>(access.address[lane] / kBankBytes % kBanks);
      target = kLeft + bank * kStep + kBox / 2.0;
      line = colour(busy[bank]);
    } else {
      const auto at =
          std::lower_bound(sectors.begin(), sectors.end(), access.address[lane] / kSectorBytes) -
          sectors.begin();
      target = kLeft + (static_cast<double>(at) + 0.5) * sector_step;
    }
    put(out, "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='%s' stroke-width='1.3'/>\n",
        x + kBox / 2.0, lanes_y + kBox, target, targets_y, line);
    box(out, x, lanes_y, kBox, "#455a64", lane);
  }
  if (pattern.shared) {
    for (int bank = 0; bank < kBanks; ++bank) {
      box(out, kLeft + bank * kStep, targets_y, kBox,
          busy[bank] == 0 ? "#bdbdbd" : colour(busy[bank]), bank);
      if (busy[bank] > 1) {
        put(out, "<text x='%d' y='%d' text-anchor='middle'>%dx</text>\n",
            kLeft + bank * kStep + kBox / 2, targets_y + 33, busy[bank]);
      }
    }
    return;
  }
  for (std::size_t i = 0; i < sectors.size(); ++i) {
    box(out, kLeft + static_cast<double>(i) * sector_step, targets_y, sector_step - 2,
        colour(excess), static_cast<int>(i));
    // A gap in the addresses.
    if (i > 0 && sectors[i] != sectors[i - 1] + 1) {
      put(out, "<line x1='%.1f' y1='%d' x2='%.1f' y2='%d' stroke='#c62828' stroke-width='2'/>\n",
          kLeft + static_cast<double>(i) * sector_step - 1, targets_y - 3,
          kLeft + static_cast<double>(i) * sector_step - 1, targets_y + kBox + 3);
    }
  }
}

}  // namespace

std::string picture(const std::vector<Pattern>& patterns) {
  std::string out;
  const int height = kPanel * static_cast<int>(patterns.size()) + 30;
  const int width = width_of(patterns);
  put(out,
      "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
      "font-family='sans-serif' font-size='10'>\n<rect width='%d' height='%d' fill='white'/>\n",
      width, height, width, height);
  int top = 5;
  for (const Pattern& pattern : patterns) {
    panel(out, pattern, top);
    top += kPanel;
  }
  put(out,
      "<text x='10' y='%d'>Each panel: the costliest execution by one warp. Red strokes between "
      "sectors are gaps in the addresses.</text>\n</svg>\n",
      top + 12);
  return out;
}

}  // namespace hanok::emulator::lab
