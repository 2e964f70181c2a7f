// EXIF orientation: parsed from a small TIFF block, applied to pixels.
#include "hanok/data/codecs.h"

namespace hanok::data {
namespace {

/// Reads 16- and 32-bit integers of either byte order; a read beyond the end returns 0 and clears
/// `ok`.
struct TiffReader {
  const std::uint8_t* bytes;
  std::size_t size;
  bool big_endian;
  bool ok = true;

  std::uint32_t number(std::size_t offset, std::size_t width) {
    if (offset > size || size - offset < width) {
      ok = false;
      return 0;
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t at = offset + (big_endian ? i : width - 1 - i);
      value = value << 8 | bytes[at];
    }
    return value;
  }
};

}  // namespace

int exif_orientation(const std::uint8_t* tiff, std::size_t size) {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::uint32_t kShort = 3;
  constexpr std::uint32_t kLong = 4;
  if (size < 8) return 1;
  const bool big_endian = tiff[0] == 'M' && tiff[1] == 'M';
  if (!big_endian && !(tiff[0] == 'I' && tiff[1] == 'I')) return 1;
  TiffReader reader{tiff, size, big_endian};
  if (reader.number(2, 2) != 42) return 1;
  const std::size_t directory = reader.number(4, 4);
  const std::uint32_t entries = reader.number(directory, 2);
  for (std::uint32_t i = 0; i < entries && reader.ok; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (reader.number(entry, 2) != kOrientationTag) continue;
    const std::uint32_t type = reader.number(entry + 2, 2);
    if (type != kShort && type != kLong) return 1;
    const std::uint32_t value = reader.number(entry + 8, type == kShort ? 2 : 4);
    return reader.ok && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image apply_orientation(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // Values 5..8 store the image transposed. The source of result pixel (x, y) is found by
  // transposing, then mirroring along either axis of the stored image.
  const bool transposed = orientation >= 5;
  const bool mirror_x =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result;
  result.width = transposed ? image.height : image.width;
  result.height = transposed ? image.width : image.height;
  result.pixels.resize(image.pixels.size());
  for (int y = 0; y < result.height; ++y) {
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < result.width; ++x, out += 3) {
      int source_x = transposed ? y : x;
      int source_y = transposed ? x : y;
      if (mirror_x) source_x = image.width - 1 - source_x;
      if (mirror_y) source_y = image.height - 1 - source_y;
      const std::uint8_t* in = image.row(source_y) + std::size_t{3} * source_x;
      out[0] = in[0];
      out[1] = in[1];
      out[2] = in[2];
    }
  }
  return result;
}

}  // namespace hanok::data
