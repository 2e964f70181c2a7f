#include "hanok/apps/data_report/image_header.h"

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace hanok::data_report {
namespace {

/// A big-endian number of `count` bytes, as PNG and JPEG have them.
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

std::uint32_t little_endian(const std::uint8_t* bytes, int count) {
  std::uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

ImageHeader header_of(const char* format, std::string mode, std::uint32_t width,
                      std::uint32_t height) {
  return {format, std::move(mode), static_cast<int>(width), static_cast<int>(height)};
}

// GIF: the version, then the canvas's width and height (2 bytes each).
std::optional<ImageHeader> read_gif(const std::uint8_t* bytes, std::size_t size) {
  if (size < 10) return {};
  return header_of("GIF", "palette", little_endian(bytes + 6, 2), little_endian(bytes + 8, 2));
}

// BMP: a header of 14 bytes, then the size of the next one, width, height (negative: from the top),
// planes, bits per pixel. OS/2's header of 12 bytes has numbers of two bytes.
std::optional<ImageHeader> read_bmp(const std::uint8_t* bytes, std::size_t size) {
  if (size < 30) return {};
  const int width = little_endian(bytes + 14, 4) == 12 ? 2 : 4;
  const std::uint32_t bits = little_endian(bytes + 18 + 2 * width + 2, 2);
  const auto height = static_cast<std::int32_t>(little_endian(bytes + 18 + width, width));
  return header_of("BMP", std::to_string(bits) + " bit", little_endian(bytes + 18, width),
                   static_cast<std::uint32_t>(std::abs(std::int64_t{height})));
}

// WebP: the first chunk is VP8 (14 bits each of width and height behind a start code), VP8L (14
// bits each, less one, behind a signature), or VP8X (flags, then 3 bytes each, less one).
std::optional<ImageHeader> read_webp(const std::uint8_t* bytes, std::size_t size) {
  if (size < 30) return {};
  if (std::memcmp(bytes + 12, "VP8 ", 4) == 0) {
    return header_of("WebP", "lossy", little_endian(bytes + 26, 2) & 0x3FFF,
                     little_endian(bytes + 28, 2) & 0x3FFF);
  }
  if (std::memcmp(bytes + 12, "VP8L", 4) == 0) {
    const std::uint32_t both = little_endian(bytes + 21, 4);
    return header_of("WebP", "lossless", (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1);
  }
  if (std::memcmp(bytes + 12, "VP8X", 4) != 0) return {};
  const bool animated = (bytes[20] & 2) != 0;
  return header_of("WebP", animated ? "animated" : "extended", little_endian(bytes + 24, 3) + 1,
                   little_endian(bytes + 27, 3) + 1);
}

// TIFF: byte order, the place of the first directory; there entries of tag, type, count and value.
std::optional<ImageHeader> read_tiff(const std::uint8_t* bytes, std::size_t size) {
  const auto number = bytes[0] == 'I' ? little_endian : big_endian;
  if (size < 8 || number(bytes + 2, 2) != 42) return {};
  const std::size_t directory = number(bytes + 4, 4);
  if (directory > size || size - directory < 2) return {};
  const std::size_t entries = number(bytes + directory, 2);
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t samples = 1;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > size) return {};
    const std::uint32_t tag = number(bytes + entry, 2);
    const bool is_short = number(bytes + entry + 2, 2) == 3;
    const std::uint32_t value = number(bytes + entry + 8, is_short ? 2 : 4);
    if (tag == 256) width = value;
    if (tag == 257) height = value;
    if (tag == 277) samples = value;
  }
  if (width == 0 || height == 0) return {};
  return header_of("TIFF", std::to_string(samples) + (samples == 1 ? " channel" : " channels"),
                   width, height);
}

}  // namespace

std::optional<ImageHeader> read_image_header(const std::uint8_t* bytes, std::size_t size) {
  using namespace std::string_view_literals;
  const std::string_view file(reinterpret_cast<const char*>(bytes), size);
  if (file.starts_with("\x89PNG\r\n\x1A\n")) return read_png(bytes, size);
  if (file.starts_with("\xFF\xD8\xFF")) return read_jpeg(bytes, size);
  if (file.starts_with("GIF8")) return read_gif(bytes, size);
  if (file.starts_with("BM")) return read_bmp(bytes, size);
  if (file.starts_with("RIFF") && size >= 12 && file.substr(8, 4) == "WEBP") {
    return read_webp(bytes, size);
  }
  if (file.starts_with("II*\0"sv) || file.starts_with("MM\0*"sv)) return read_tiff(bytes, size);
  return {};
}

}  // namespace hanok::data_report
