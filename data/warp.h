// Geometry that needs interpolation: affine maps, and crops that are resized.
#pragma once

#include <array>

#include "hanok/data/image.h"

namespace hanok::data {

/// Where a pixel of the result comes from: (a x + b y + c, d x + e y + f) in pixels.
using AffineMatrix = std::array<double, 6>;

/// Rotation clockwise and shears in degrees, translation in pixels, scale; about the centre.
struct AffineParameters {
  double angle = 0, translate_x = 0, translate_y = 0, scale = 1, shear_x = 0, shear_y = 0;
};
/// As torchvision's affine: result to source, for an image of this size. Throws ValueError for a
/// scale that is not positive.
AffineMatrix affine_matrix(const AffineParameters& parameters, int width, int height);

/// Bilinear, as Pillow's Image.transform(AFFINE), to the bit; `fill` where nothing comes from.
Image warp_affine(const Image& image, const AffineMatrix& matrix,
                  const std::array<std::uint8_t, 3>& fill = {0, 0, 0});

/// The rectangle, resized.
Image resized_crop(const Image& image, int x, int y, int width, int height, int new_width,
                   int new_height, Filter filter = Filter::Bilinear);

Image flip_vertical(const Image& image);

}  // namespace hanok::data
