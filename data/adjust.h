// Colour and sharpness adjustments with explicit parameters, bit-exact to Pillow's ImageEnhance and
// ImageOps (and so to torchvision on Pillow images).
#pragma once

#include "hanok/data/image.h"

namespace hanok::data {

/// Scales brightness: 0 gives black, 1 the image itself.
Image adjust_brightness(const Image& image, float factor);
/// Scales contrast around the mean grey: 0 gives that grey, 1 the image itself.
Image adjust_contrast(const Image& image, float factor);
/// Scales saturation: 0 gives the grey image, 1 the image itself.
Image adjust_saturation(const Image& image, float factor);
/// Scales sharpness: 0 gives the smoothed image, 1 the image itself.
Image adjust_sharpness(const Image& image, float factor);
/// Shifts the hue by `shift` of a full turn, -0.5..0.5. Throws ValueError outside this range.
Image adjust_hue(const Image& image, float shift);

/// Three equal channels: ITU-R 601-2 luma.
Image grayscale(const Image& image);
/// Stretches each channel to 0..255.
Image autocontrast(const Image& image);
/// Equalises each channel's histogram.
Image equalize(const Image& image);
/// Keeps the upper `bits` (1..8) of each channel. Throws ValueError outside this range.
Image posterize(const Image& image, int bits);
/// Inverts all values of at least `threshold` (0..256). Throws ValueError outside this range.
Image solarize(const Image& image, int threshold);
/// Replaces each value x by 255 - x.
Image invert(const Image& image);

/// Gaussian blur with standard deviation `sigma` pixels and an odd `kernel` size, reflecting at the
/// edges, as torchvision's gaussian_blur (equal within 1, since torchvision sums in single
/// precision). Throws ValueError for an even kernel, sigma <= 0, or an image not larger than half
/// the kernel.
Image gaussian_blur(const Image& image, int kernel, float sigma);
/// Fills the rectangle with one colour. Throws ValueError if it exceeds the image.
Image erase(const Image& image, const Rectangle& part, const std::uint8_t (&color)[3]);

}  // namespace hanok::data
