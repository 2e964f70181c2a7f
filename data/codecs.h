// The codecs behind decode_image, one function per format, and the EXIF orientation. Private to
// this room.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/data/image.h"

namespace hanok::data {

/// Throws FormatError, starting with `name`, if the image is empty or exceeds limits.max_pixels.
void check_pixel_limit(std::int64_t width, std::int64_t height, const std::string& name,
                       const DecodeLimits& limits);

Image decode_jpeg(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits);
Image decode_png(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits);

/// Orientation 1..8 from a TIFF block (what follows "Exif\0\0" in a JPEG, or a PNG's eXIf chunk);
/// 1, "as stored", if it is missing or invalid.
int exif_orientation(const std::uint8_t* tiff, std::size_t size);
/// The image in display orientation: mirrored and transposed according to orientation 1..8.
Image apply_orientation(Image image, int orientation);

}  // namespace hanok::data
