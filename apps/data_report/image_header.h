// Format and size of a photograph from its first bytes, without decoding it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct ImageHeader {
  std::string format;         // "JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF"
  std::string mode;           // "RGB", "grey", "palette", "RGBA, 16 bit", "CMYK, progressive", ...
  int width = 0, height = 0;  // as stored, before EXIF's orientation turns it
};

/// Empty for what is none of these formats, or is truncated. No pixel is read: a file with a good
/// header may still be damaged.
std::optional<ImageHeader> read_image_header(const std::uint8_t* bytes, std::size_t size);

}  // namespace hanok::data_report
#pragma GCC visibility pop
