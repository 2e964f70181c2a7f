// Transforms that interpolate: affine warps and resized crops.
#pragma once

#include <array>

#include "hanok/data/image.h"

namespace hanok::data {

/// Maps result to source coordinates: (a x + b y + c, d x + e y + f) in pixels.
using AffineMatrix = std::array<double, 6>;

/// Clockwise rotation and shears in degrees, translation in pixels, scale; about the centre.
struct AffineParameters {
  double angle = 0, translate_x = 0, translate_y = 0, scale = 1, shear_x = 0, shear_y = 0;
};
/// torchvision's affine as a map from result to source, for an image of this size. Throws
/// ValueError for a scale that is not positive.
AffineMatrix affine_matrix(const AffineParameters& parameters, int width, int height);

/// Bilinear, bit-exact to Pillow's Image.transform(AFFINE); `fill` where the source is outside.
Image warp_affine(const Image& image, const AffineMatrix& matrix,
                  const std::array<std::uint8_t, 3>& fill = {0, 0, 0});

/// Crops the rectangle and resizes it. Throws ValueError if it exceeds the image.
Image resized_crop(const Image& image, const Rectangle& part, int new_width, int new_height,
                   Filter filter = Filter::Bilinear);

/// Mirrors top to bottom.
Image flip_vertical(const Image& image);

}  // namespace hanok::data
