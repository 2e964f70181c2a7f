// Images in memory and on disk: 8-bit RGB. JPEG, PNG, WebP, BMP, GIF and TIFF files are decoded;
// the format is detected by content, not by extension.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::data {

/// `pixels` holds height x width x 3 bytes, RGB, rows from the top.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;

  std::uint8_t* row(int y) { return pixels.data() + row_offset(y); }
  const std::uint8_t* row(int y) const { return pixels.data() + row_offset(y); }
  /// Where row y begins in `pixels`.
  std::size_t row_offset(int y) const {
    return std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(y);
  }
};

struct DecodeLimits {
  std::int64_t max_pixels = std::int64_t{1} << 27;  // checked before allocating
  std::int64_t max_bytes = std::int64_t{1} << 28;   // of the file
};

/// Decodes an image file; of an animation the first frame, of a TIFF the first page. Grey, palette,
/// CMYK and alpha images become RGB as with Pillow's convert("RGB"), except that 16-bit values keep
/// their high byte. The orientation that EXIF or XMP states is applied. A path "DIR/a.tar/1.jpg"
/// names the file 1.jpg in the archive, which is read through up to there. Throws FormatError
/// (starting with the file name) for other content, which it names, damaged data and images beyond
/// the limits; IoError if the file cannot be read.
Image decode_image_file(const std::string& path, const DecodeLimits& limits = {});
/// The same from memory; `name` is used in messages.
Image decode_image(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                   const DecodeLimits& limits = {});
/// The bytes of a JPEG file. Throws ValueError for an empty image or a quality outside 1..100.
std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality = 90);
/// The bytes of a PNG file, without loss. Throws ValueError for an empty image.
std::vector<std::uint8_t> encode_png(const Image& image);

enum class Filter { Bilinear, Bicubic };
/// Antialiased, bit-exact to Pillow's Image.resize. Throws ValueError if a side is below 1.
Image resize(const Image& image, int width, int height, Filter filter = Filter::Bilinear);
/// Scales so that the shorter side is `size`, as torchvision's Resize(size): the longer side is
/// rounded down. Throws ValueError if the result exceeds decode_image's pixel limit.
Image resize_shorter_side(const Image& image, int size, Filter filter = Filter::Bilinear);
/// Scales so that the longer side is `size`; the shorter one is rounded down, to 1 at least.
Image resize_longer_side(const Image& image, int size, Filter filter = Filter::Bilinear);
/// Throws the ValueError of resize_shorter_side without resizing.
void check_shorter_side(const Image& image, int size);
/// Pixels [x, x + width) x [y, y + height).
struct Rectangle {
  int x, y, width, height;
};
/// Throws ValueError if the rectangle is empty or exceeds the image.
Image crop(const Image& image, const Rectangle& part);
/// As torchvision's CenterCrop, padding with black where the image is smaller.
Image center_crop(const Image& image, int width, int height);
/// Mirrors left to right.
Image flip_horizontal(const Image& image);

}  // namespace hanok::data
#pragma GCC visibility pop
