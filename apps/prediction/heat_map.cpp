#include "hanok/apps/prediction/heat_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>

#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

/// Of one axis: the two places between which a position lies, and the share of the second.
struct Interpolation {
  int low = 0, high = 0;
  float share = 0;
  bool seen = true;
};

/// For each of `size` pixels of a photograph, of which [begin, end) is covered by `cells`.
std::vector<Interpolation> interpolate(int size, int cells, double begin, double end) {
  std::vector<Interpolation> axis(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    const double unit = (i + 0.5 - begin) / (end - begin);
    const double position = std::clamp(unit * cells - 0.5, 0.0, cells - 1.0);
    Interpolation& pixel = axis[static_cast<std::size_t>(i)];
    pixel.low = static_cast<int>(position);
    pixel.high = std::min(pixel.low + 1, cells - 1);
    pixel.share = static_cast<float>(position - pixel.low);
    pixel.seen = unit >= 0 && unit <= 1;
  }
  return axis;
}

/// How much of pixel i lies in [begin, end).
double covered(int i, double begin, double end) {
  return std::max(0.0, std::min(i + 1.0, end) - std::max<double>(i, begin));
}

std::uint8_t blend(double below, double above, double opacity) {
  return static_cast<std::uint8_t>(std::lround(below + (above - below) * opacity));
}

}  // namespace

void scale_to_one(HeatMap& map) {
  if (map.values.empty()) return;
  const float largest = *std::max_element(map.values.begin(), map.values.end());
  if (!(largest > 0)) return;
  for (float& value : map.values) value /= largest;
}

HeatMap mean_of(const std::vector<HeatMap>& maps) {
  if (maps.empty()) throw ValueError("mean_of: no maps");
  HeatMap mean = maps.front();
  for (std::size_t m = 1; m < maps.size(); ++m) {
    if (maps[m].width != mean.width || maps[m].height != mean.height) {
      throw ValueError(fmt::format("mean_of: maps of {}x{} and {}x{}", mean.width, mean.height,
                                   maps[m].width, maps[m].height));
    }
    for (std::size_t i = 0; i < mean.values.size(); ++i) mean.values[i] += maps[m].values[i];
  }
  for (float& value : mean.values) value /= static_cast<float>(maps.size());
  scale_to_one(mean);
  return mean;
}

Box part_seen(int width, int height, const data::Preprocessing& preprocessing) {
  if (preprocessing.resize == 0) {
    return {.right = static_cast<double>(width), .bottom = static_cast<double>(height)};
  }
  // The middle square, of image_size pixels after the shorter side has become `resize`.
  const double side =
      double{std::min(width, height) * 1.0} * preprocessing.image_size / preprocessing.resize;
  return {.left = (width - side) / 2,
          .top = (height - side) / 2,
          .right = (width + side) / 2,
          .bottom = (height + side) / 2};
}

Box part_seen(const data::Sample& sample, int width, int height,
              const data::Preprocessing& preprocessing) {
  if (!sample.crop) return part_seen(width, height, preprocessing);
  const Box seen = part_seen(sample.crop->width, sample.crop->height, preprocessing);
  return {.left = seen.left + sample.crop->x,
          .top = seen.top + sample.crop->y,
          .right = seen.right + sample.crop->x,
          .bottom = seen.bottom + sample.crop->y};
}

Box scaled(const Box& box, double factor) {
  return {.left = box.left * factor,
          .top = box.top * factor,
          .right = box.right * factor,
          .bottom = box.bottom * factor};
}

HeatMap on_photograph(const HeatMap& map, int width, int height, const Box& seen) {
  const auto columns = interpolate(width, map.width, seen.left, seen.right);
  const auto rows = interpolate(height, map.height, seen.top, seen.bottom);
  HeatMap result{.width = width, .height = height};
  result.values.reserve(columns.size() * rows.size());
  for (const Interpolation& row : rows) {
    for (const Interpolation& column : columns) {
      const auto across = [&](int y) {
        return map.at(column.low, y) * (1 - column.share) + map.at(column.high, y) * column.share;
      };
      const float value = across(row.low) * (1 - row.share) + across(row.high) * row.share;
      result.values.push_back(row.seen && column.seen ? value : 0.0F);
    }
  }
  return result;
}

double share_inside(const HeatMap& map, const Box& box) {
  double all = 0, inside = 0;
  for (int y = 0; y < map.height; ++y) {
    const double row = covered(y, box.top, box.bottom);
    for (int x = 0; x < map.width; ++x) {
      const double value = map.at(x, y);
      all += value;
      inside += value * row * covered(x, box.left, box.right);
    }
  }
  return all > 0 ? inside / all : 0;
}

HeatColor heat_color(float value) {
  // Eleven colours of matplotlib's "plasma" (van der Walt and Smith, 2015, CC0).
  static constexpr std::array<std::array<double, 3>, 11> kScale = {{{13, 8, 135},
                                                                    {65, 4, 157},
                                                                    {106, 0, 168},
                                                                    {143, 13, 164},
                                                                    {177, 42, 144},
                                                                    {204, 71, 120},
                                                                    {225, 100, 98},
                                                                    {242, 132, 75},
                                                                    {252, 166, 54},
                                                                    {252, 206, 37},
                                                                    {240, 249, 33}}};
  const double position = std::clamp(double{value}, 0.0, 1.0) * (kScale.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(position), kScale.size() - 2);
  const double share = position - static_cast<double>(low);
  const auto& a = kScale[low];
  const auto& b = kScale[low + 1];
  return {blend(a[0], b[0], share), blend(a[1], b[1], share), blend(a[2], b[2], share)};
}

data::Image overlay(const data::Image& photograph, const HeatMap& map) {
  if (photograph.width != map.width || photograph.height != map.height) {
    throw ValueError(fmt::format("overlay: a map of {}x{} on a photograph of {}x{}", map.width,
                                 map.height, photograph.width, photograph.height));
  }
  constexpr double kMostOpaque = 0.7;
  data::Image result = photograph;
  for (std::size_t i = 0; i < map.values.size(); ++i) {
    std::uint8_t* pixel = result.pixels.data() + 3 * i;
    const double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    const HeatColor color = heat_color(map.values[i]);
    const double opacity = kMostOpaque * std::clamp(double{map.values[i]}, 0.0, 1.0);
    pixel[0] = blend(grey, color.red, opacity);
    pixel[1] = blend(grey, color.green, opacity);
    pixel[2] = blend(grey, color.blue, opacity);
  }
  return result;
}

}  // namespace hanok::training
