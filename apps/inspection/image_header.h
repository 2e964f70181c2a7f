// What the first bytes of a photograph say about it, without decoding it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace hanok::training {

struct ImageHeader {
  std::string format;         // "JPEG" or "PNG"
  std::string mode;           // "RGB", "grey", "palette", "RGBA, 16 bit", "CMYK, progressive", ...
  int width = 0, height = 0;  // as stored, before EXIF's orientation turns it
};

/// Nothing for what is neither JPEG nor PNG, or ends before it tells. Reads no pixel: a file with a
/// good header may still be damaged.
std::optional<ImageHeader> read_image_header(const std::uint8_t* bytes, std::size_t size);

}  // namespace hanok::training
