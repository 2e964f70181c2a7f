// Changes of colour and sharpness, one function each, with explicit parameters: as Pillow's
// ImageEnhance and ImageOps do them (so, as torchvision does on Pillow images), to the bit.
#pragma once

#include "hanok/data/image.h"

namespace hanok::data {

/// From black (0) over the image itself (1) to brighter.
Image adjust_brightness(const Image& image, float factor);
/// From its mean grey (0) over the image itself (1) to more contrast.
Image adjust_contrast(const Image& image, float factor);
/// From grey (0) over the image itself (1) to stronger colours.
Image adjust_saturation(const Image& image, float factor);
/// From smoothed (0) over the image itself (1) to sharper.
Image adjust_sharpness(const Image& image, float factor);
/// Turns the colour circle by `shift` of a full turn, -0.5..0.5. Throws ValueError beyond.
Image adjust_hue(const Image& image, float shift);

/// Three equal channels: ITU-R 601-2 luma.
Image grayscale(const Image& image);
/// Stretches each channel to 0..255.
Image autocontrast(const Image& image);
/// Makes each channel's histogram flat.
Image equalize(const Image& image);
/// Keeps the upper `bits` (1..8) of each channel. Throws ValueError beyond.
Image posterize(const Image& image, int bits);
/// Inverts all values from `threshold` (0..256) on.
Image solarize(const Image& image, int threshold);
Image invert(const Image& image);

/// Normal distribution of standard deviation `sigma` pixels over `kernel` (odd) pixels each way,
/// mirrored at the edges, as torchvision's gaussian_blur (within 1: that one sums in single
/// precision). Throws ValueError for an even kernel, sigma <= 0, or an image that is not larger
/// than half a kernel.
Image gaussian_blur(const Image& image, int kernel, float sigma);
/// Paints the rectangle in one colour. Throws ValueError if it leaves the image.
Image erase(const Image& image, int x, int y, int width, int height,
            const std::uint8_t (&color)[3]);

}  // namespace hanok::data
