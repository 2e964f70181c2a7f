// The codecs behind decode_image, one function per format, and the orientation of photographs.
// Private to this room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hanok/data/image.h"

namespace hanok::data {

/// Throws FormatError, starting with `name`, if the image is empty or exceeds limits.max_pixels.
void check_pixel_limit(std::int64_t width, std::int64_t height, const std::string& name,
                       const DecodeLimits& limits);

/// What decoding takes for an image of limits.max_pixels in 8-bit RGB, with a copy that is turned
/// upright, and a little more. Other kinds may take as much, and so have fewer pixels.
struct DecodingCost {
  std::uint64_t stored = 0;  // bytes of all samples as they are stored, uncompressed
  std::uint64_t memory = 0;  // bytes of all that is in memory at a time
};
/// Throws FormatError, starting with `name`, for more than 4 stored bytes or 7 bytes of memory for
/// each of limits.max_pixels.
void check_decoding_cost(const DecodingCost& cost, const std::string& name,
                         const DecodeLimits& limits);

Image decode_jpeg(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits);
Image decode_png(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits);
Image decode_webp(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits);
Image decode_bmp(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits);
Image decode_gif(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits);
Image decode_tiff(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits);

/// What a file holds that no decoder reads, and what helps: "a HEIC photograph; convert ...",
/// "an HTML page ...", "text that begins with '...'".
std::string describe_content(const std::uint8_t* bytes, std::size_t size);

/// Red, green and blue of a pixel with `ink` of cyan, magenta and yellow and `black`, each 0..255,
/// as Pillow computes them.
void cmyk_to_rgb(const std::uint8_t* ink, std::uint8_t black, std::uint8_t* rgb);

/// The orientation that a TIFF block (what follows "Exif\0\0" in a JPEG, or a PNG's eXIf chunk)
/// states; 0 if it states one that is no number. Empty if it states none.
std::optional<int> exif_orientation(const std::uint8_t* tiff, std::size_t size);
/// The digit of the first tiff:Orientation in an XMP packet, an attribute or an element.
std::optional<int> xmp_orientation(std::string_view packet);
/// The bytes in ImageMagick's text "Raw profile type exif": a name, a length and hexadecimal
/// digits. Empty if the text is not of that form.
std::vector<std::uint8_t> raw_profile(std::string_view text);

/// What a file says about its orientation, in the order of precedence of Pillow's getexif():
/// XMP counts only if EXIF states no orientation.
struct OrientationRecord {
  std::vector<std::uint8_t> exif{};  // a TIFF block, with or without "Exif\0\0" before it
  std::string xmp{};
  /// 1..8; 1, "as stored", for everything else.
  int orientation() const;
};

/// The image in display orientation: mirrored and transposed according to orientation 1..8.
Image apply_orientation(Image image, int orientation);

}  // namespace hanok::data
