#include "hanok/apps/inspection/image_header.h"

#include <cstring>

namespace hanok::training {
namespace {

/// A big-endian number of `count` bytes, as both formats have them.
std::uint32_t big_endian(const std::uint8_t* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

// PNG (ISO 15948): 8 bytes of signature, then the chunk IHDR: length, "IHDR", width, height (4
// bytes each), bit depth, colour type.
std::optional<ImageHeader> read_png(const std::uint8_t* bytes, std::size_t size) {
  if (size < 26 || std::memcmp(bytes + 12, "IHDR", 4) != 0) return {};
  ImageHeader header{"PNG", "", static_cast<int>(big_endian(bytes + 16, 4)),
                     static_cast<int>(big_endian(bytes + 20, 4))};
  const int depth = bytes[24];
  switch (bytes[25]) {
    case 0:
      header.mode = "grey";
      break;
    case 2:
      header.mode = "RGB";
      break;
    case 3:
      header.mode = "palette";
      break;
    case 4:
      header.mode = "grey with alpha";
      break;
    case 6:
      header.mode = "RGBA";
      break;
    default:
      return {};
  }
  if (depth != 8) header.mode += ", " + std::to_string(depth) + " bit";
  return header;
}

// JPEG (ITU-T T.81, B.2): segments of FF, marker, length (2 bytes, itself included). The frame
// header SOFn holds precision, height, width, number of components.
std::optional<ImageHeader> read_jpeg(const std::uint8_t* bytes, std::size_t size) {
  std::size_t at = 2;
  while (at + 4 <= size) {
    if (bytes[at] != 0xFF) return {};
    const int marker = bytes[at + 1];
    if (marker == 0xFF) {  // padding before a marker
      ++at;
      continue;
    }
    if (marker == 0xD9 || marker == 0xDA) return {};  // end, or pixels before any frame header
    const std::size_t length = big_endian(bytes + at + 2, 2);
    const bool frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (!frame) {
      at += 2 + length;
      continue;
    }
    if (at + 10 > size) return {};
    ImageHeader header{"JPEG", "", static_cast<int>(big_endian(bytes + at + 7, 2)),
                       static_cast<int>(big_endian(bytes + at + 5, 2))};
    const int components = bytes[at + 9];
    header.mode = components == 1   ? "grey"
                  : components == 3 ? "RGB"
                  : components == 4 ? "CMYK"
                                    : std::to_string(components) + " channels";
    if (marker == 0xC2) header.mode += ", progressive";
    return header;
  }
  return {};
}

}  // namespace

std::optional<ImageHeader> read_image_header(const std::uint8_t* bytes, std::size_t size) {
  if (size >= 8 && std::memcmp(bytes, "\x89PNG\r\n\x1A\n", 8) == 0) return read_png(bytes, size);
  if (size >= 3 && std::memcmp(bytes, "\xFF\xD8\xFF", 3) == 0) return read_jpeg(bytes, size);
  return {};
}

}  // namespace hanok::training
