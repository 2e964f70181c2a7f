// Maps of how much each place of a photograph counted, and how they are shown on it.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/data/dataset.h"
#include "hanok/data/image.h"
#include "hanok/data/transforms.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// One value a place, from 0 to 1; the largest is 1 unless all are 0.
struct HeatMap {
  int width = 0, height = 0;
  std::vector<float> values{};  // [height, width], rows from the top

  float at(int x, int y) const {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
};

/// Divides by the largest value; a map without a value above 0 stays.
void scale_to_one(HeatMap& map);

/// The mean of maps of one size, such as those of a run's folds, scaled to 1. Throws ValueError for
/// none, or for different sizes.
HeatMap mean_of(const std::vector<HeatMap>& maps);

/// A rectangle with edges between pixels: of a photograph, in its pixels; or a face's box.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// Which part of a photograph of that size becomes the network's input. It reaches beyond the edges
/// where the preprocessing pads.
Box part_seen(int width, int height, const data::Preprocessing& preprocessing);
/// Of the photograph of a sample, of which a part alone may be used (Sample::crop).
Box part_seen(const data::Sample& sample, int width, int height,
              const data::Preprocessing& preprocessing);

/// The same part of the photograph scaled by `factor`.
Box scaled(const Box& box, double factor);

/// The map of a network's input in a photograph of `width` x `height` pixels of which the network
/// saw the part `seen`: interpolated bilinearly (as ops::upsample_bilinear2d), and 0 where the
/// network saw nothing.
HeatMap on_photograph(const HeatMap& map, int width, int height, const Box& seen);

/// The share of the map's sum that lies in `box`, of a photograph that the map covers: 0 to 1. A
/// pixel counts as far as it is covered. 0 for a map of zeros.
double share_inside(const HeatMap& map, const Box& box);

/// The colour of a value from 0 to 1, on a scale whose lightness rises evenly from dark purple to
/// yellow, also for those who do not tell red from green, and in print without colours.
struct HeatColor {
  std::uint8_t red = 0, green = 0, blue = 0;
};
HeatColor heat_color(float value);

/// The photograph in grey under the map's colours, the more opaque the larger the value: where
/// nothing counted, the grey photograph remains. Throws ValueError for different sizes.
data::Image overlay(const data::Image& photograph, const HeatMap& map);

}  // namespace hanok::training
#pragma GCC visibility pop
