// The orientation of a photograph: read from EXIF's small TIFF block, applied to pixels.
#include "hanok/data/formats/codecs.h"

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

/// Bytes of an integer of TIFF's field type; 0 for other types.
std::size_t integer_size(std::uint32_t type) {
  switch (type) {
    case 3:  // SHORT
    case 8:  // SSHORT
      return 2;
    case 4:   // LONG
    case 9:   // SLONG
    case 13:  // IFD
      return 4;
    default:
      return 0;
  }
}

constexpr std::string_view kExifPrefix("Exif\0\0", 6);

}  // namespace

std::optional<int> exif_orientation(const std::uint8_t* tiff, std::size_t size) {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  if (size < 8) return {};
  const bool big_endian = tiff[0] == 'M' && tiff[1] == 'M';
  if (!big_endian && !(tiff[0] == 'I' && tiff[1] == 'I')) return {};
  TiffReader reader{tiff, size, big_endian};
  const std::uint32_t version = reader.number(2, 2);
  if (version != 42 && version != 42 << 8) return {};  // some cameras swap these two bytes
  const std::size_t directory = reader.number(4, 4);
  const std::uint32_t entries = reader.number(directory, 2);
  std::optional<int> found;
  for (std::uint32_t i = 0; i < entries && reader.ok; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (reader.number(entry, 2) != kOrientationTag) continue;
    const std::size_t width = integer_size(reader.number(entry + 2, 2));
    const std::uint64_t count = reader.number(entry + 4, 4);
    // More than four bytes lie elsewhere; the first number counts.
    const std::size_t place = width * count <= 4 ? entry + 8 : reader.number(entry + 8, 4);
    const std::uint32_t value = width > 0 && count > 0 ? reader.number(place, width) : 0;
    if (reader.ok) found = value <= 8 ? static_cast<int>(value) : 0;
  }
  return found;
}

int OrientationRecord::orientation() const {
  // Some programs write the prefix twice.
  std::string_view block(reinterpret_cast<const char*>(exif.data()), exif.size());
  for (int i = 0; i < 2 && block.starts_with(kExifPrefix); ++i) {
    block.remove_prefix(kExifPrefix.size());
  }
  const std::optional<int> stated =
      exif_orientation(reinterpret_cast<const std::uint8_t*>(block.data()), block.size());
  const int value = stated ? *stated : xmp_orientation(xmp).value_or(1);
  return value >= 1 && value <= 8 ? value : 1;
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
