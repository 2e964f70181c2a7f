// Windows bitmaps: 1, 2, 4 and 8 bits with a palette, 16, 24 and 32 bits, RLE4 and RLE8, bit masks,
// rows from the bottom or from the top. Everything is little-endian:
//   file header   "BM", size (4 bytes), 4 reserved, offset of the pixels (4)
//   info header   its size (4), width, height (4 each; 2 each in OS/2's 12 bytes), planes (2), bits
//                 per pixel (2), compression (4), ..., colours in the palette (at byte 32), masks
//   palette       blue, green, red, unused (OS/2: without the unused byte)
// Source: Microsoft's BITMAPINFOHEADER and BITMAPV5HEADER. As in Pillow, alpha is dropped, a colour
// beyond the palette is black, and pixels that run-length encoding leaves out have colour 0.
#include <algorithm>
#include <array>
#include <utility>

#include "hanok/data/formats/codecs.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

enum class Compression { None, Rle8, Rle4, Masks };

/// One colour's bits in a pixel of 16, 24 or 32 bits.
struct Channel {
  std::uint32_t mask = 0;
  int shift = 0;

  explicit Channel(std::uint32_t bits = 0) : mask(bits) {
    while (mask != 0 && (mask & 1) == 0) {
      mask >>= 1;
      ++shift;
    }
  }
  std::uint8_t operator()(std::uint32_t pixel) const {
    if (mask == 0) return 0;
    return static_cast<std::uint8_t>(std::uint64_t{(pixel >> shift) & mask} * 255 / mask);
  }
};

class BmpReader {
 public:
  BmpReader(const std::uint8_t* bytes, std::size_t size, const std::string& name)
      : bytes_(bytes), size_(size), name_(name) {}

  Image read(const DecodeLimits& limits) {
    read_header(limits);
    const bool palette = bits_ <= 8;
    if (palette) read_palette();
    if (compression_ == Compression::None || compression_ == Compression::Masks) {
      check_size();
    }
    Image image{width_, height_, {}};
    image.pixels.resize(image.row_offset(height_));
    if (compression_ == Compression::Rle8 || compression_ == Compression::Rle4) {
      read_runs(image);
    } else {
      for (int y = 0; y < height_; ++y) {
        const std::uint8_t* row = bytes_ + pixels_ + row_bytes() * static_cast<std::size_t>(y);
        std::uint8_t* out = image.row(top_down_ ? y : height_ - 1 - y);
        if (palette) {
          read_indices(row, out);
        } else {
          read_colours(row, out);
        }
      }
    }
    return image;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError(name_ + ": damaged BMP: " + problem);
  }
  [[noreturn]] void refuse(const std::string& kind) const {
    throw FormatError(name_ + ": a BMP file of " + kind + ", which is not supported");
  }

  std::uint32_t number(std::size_t offset, std::size_t width) const {
    if (offset > size_ || size_ - offset < width) {
      fail("the file ends too early (an interrupted download or copy?)");
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      value |= std::uint32_t{bytes_[offset + i]} << (8 * i);
    }
    return value;
  }

  void read_header(const DecodeLimits& limits) {
    pixels_ = number(10, 4);
    header_ = number(14, 4);
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::uint32_t compression = 0;
    if (header_ == 12) {
      width = number(18, 2);
      height = number(20, 2);
      bits_ = number(24, 2);
    } else if (header_ >= 40 && header_ <= 1024) {
      width = static_cast<std::int32_t>(number(18, 4));
      height = static_cast<std::int32_t>(number(22, 4));
      bits_ = number(28, 2);
      compression = number(30, 4);
      colours_ = number(46, 4);
    } else {
      fail("a header of " + std::to_string(header_) + " bytes");
    }
    top_down_ = height < 0;
    check_pixel_limit(width, top_down_ ? -height : height, name_, limits);
    width_ = static_cast<int>(width);
    height_ = static_cast<int>(top_down_ ? -height : height);
    choose_kind(compression);
  }

  void choose_kind(std::uint32_t compression) {
    constexpr std::array<std::uint32_t, 7> kBits = {1, 2, 4, 8, 16, 24, 32};
    if (std::find(kBits.begin(), kBits.end(), bits_) == kBits.end()) {
      refuse(std::to_string(bits_) + " bits a pixel");
    }
    const std::size_t after_header = std::size_t{14} + header_;
    if (bits_ == 16) channels_ = {Channel(0x7C00), Channel(0x3E0), Channel(0x1F)};
    if (bits_ > 16) channels_ = {Channel(0xFF0000), Channel(0xFF00), Channel(0xFF)};
    if (compression == 0) {
      compression_ = Compression::None;
    } else if (compression == 1 && bits_ == 8) {
      compression_ = Compression::Rle8;
    } else if (compression == 2 && bits_ == 4) {
      compression_ = Compression::Rle4;
    } else if ((compression == 3 || compression == 6) && bits_ >= 16) {
      compression_ = Compression::Masks;
      // In the header, or right after one of 40 bytes.
      const std::array<std::uint32_t, 3> masks = {number(54, 4), number(58, 4), number(62, 4)};
      if (masks != std::array<std::uint32_t, 3>{}) {
        std::transform(masks.begin(), masks.end(), channels_.begin(),
                       [](std::uint32_t mask) { return Channel(mask); });
      }
      if (pixels_ == 0) pixels_ = std::max<std::size_t>(after_header, 66);
    } else {
      refuse("compression " + std::to_string(compression) + " with " + std::to_string(bits_) +
             " bits a pixel");
    }
    if (pixels_ == 0) pixels_ = after_header;
  }

  void read_palette() {
    const std::size_t entry = header_ == 12 ? 3 : 4;
    const std::size_t begin = std::size_t{14} + header_;
    const std::size_t most = std::size_t{1} << bits_;
    const std::size_t stated = colours_ == 0 ? most : std::size_t{colours_};
    if (pixels_ == begin) pixels_ += entry * stated;  // the offset forgets the palette
    const std::size_t room = pixels_ > begin ? (pixels_ - begin) / entry : 0;
    const std::size_t count = std::min({stated, most, room});
    // A palette that counts through the greys is none: beyond it, too, a number is a grey.
    bool grey = true;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 0; c < 3; ++c) {
        palette_[i][c] = static_cast<std::uint8_t>(number(begin + entry * i + 2 - c, 1));
        grey = grey && palette_[i][c] == i;
      }
    }
    if (!grey || count < 3) return;
    for (std::size_t i = 0; i < palette_.size(); ++i) {
      palette_[i].fill(static_cast<std::uint8_t>(i));
    }
  }

  /// Rows are padded to four bytes.
  std::size_t row_bytes() const { return (static_cast<std::size_t>(width_) * bits_ + 31) / 32 * 4; }

  /// The last row may lack its padding.
  void check_size() const {
    const std::size_t used = (static_cast<std::size_t>(width_) * bits_ + 7) / 8;
    const std::size_t needed = row_bytes() * static_cast<std::size_t>(height_ - 1) + used;
    if (pixels_ > size_ || size_ - pixels_ < needed) {
      fail("the file ends too early (an interrupted download or copy?)");
    }
  }

  void put(std::uint8_t* out, std::size_t index) const {
    std::copy(palette_[index].begin(), palette_[index].end(), out);
  }

  void read_indices(const std::uint8_t* row, std::uint8_t* out) const {
    const unsigned mask = (1U << bits_) - 1;
    for (std::size_t x = 0; x < static_cast<std::size_t>(width_); ++x, out += 3) {
      const std::size_t bit = x * bits_;
      put(out, (row[bit / 8] >> (8 - bits_ - bit % 8)) & mask);
    }
  }

  void read_colours(const std::uint8_t* row, std::uint8_t* out) const {
    const std::size_t step = bits_ / 8;
    for (int x = 0; x < width_; ++x, row += step, out += 3) {
      std::uint32_t pixel = 0;
      for (std::size_t i = 0; i < step; ++i) pixel |= std::uint32_t{row[i]} << (8 * i);
      for (std::size_t c = 0; c < 3; ++c) out[c] = channels_[c](pixel);
    }
  }

  // Run-length encoding is pairs of bytes: count and value; or 0 and 0 (end of the row), 1 (end of
  // the picture), 2 (skip: right and up in the next two bytes), n (n values follow, padded to two
  // bytes). With four bits a pixel a value holds two, which alternate.
  void read_runs(Image& image) const {
    for (std::size_t i = 0; i < image.pixels.size(); i += 3) put(&image.pixels[i], 0);
    const bool half = compression_ == Compression::Rle4;
    std::size_t at = pixels_;
    std::int64_t x = 0;
    std::int64_t y = 0;
    const auto draw = [&](std::uint32_t value, std::uint32_t position) {
      if (x < width_ && y < height_) {
        const std::uint32_t index = !half ? value : position % 2 == 0 ? value >> 4 : value & 15;
        const int row = static_cast<int>(top_down_ ? y : height_ - 1 - y);
        put(image.row(row) + 3 * x, index);
      }
      ++x;
    };
    while (y < height_) {
      // The mark of the picture's end may be missing after the last pixel.
      if (y == height_ - 1 && x >= width_ && at + 2 > size_) return;
      const std::uint32_t count = number(at, 1);
      const std::uint32_t value = number(at + 1, 1);
      at += 2;
      if (count > 0) {
        for (std::uint32_t i = 0; i < count; ++i) draw(value, i);
      } else if (value == 0) {
        x = 0;
        ++y;
      } else if (value == 1) {
        return;
      } else if (value == 2) {
        x += number(at, 1);
        y += number(at + 1, 1);
        at += 2;
      } else {
        for (std::uint32_t i = 0; i < value; ++i) draw(number(at + (half ? i / 2 : i), 1), i);
        const std::size_t stored = half ? (value + 1) / 2 : value;
        at += stored + stored % 2;
      }
    }
  }

  const std::uint8_t* bytes_;
  std::size_t size_;
  const std::string& name_;

  std::size_t pixels_ = 0;  // where they begin
  std::uint32_t header_ = 0, bits_ = 0, colours_ = 0;
  int width_ = 0, height_ = 0;
  bool top_down_ = false;
  Compression compression_ = Compression::None;
  std::array<Channel, 3> channels_;                         // red, green, blue
  std::array<std::array<std::uint8_t, 3>, 256> palette_{};  // red, green, blue
};

}  // namespace

Image decode_bmp(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits) {
  return BmpReader(bytes, size, name).read(limits);
}

}  // namespace hanok::data
