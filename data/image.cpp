// Reads image files, detecting the format by content, and crops and flips images.
#include "hanok/data/image.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "hanok/data/formats/codecs.h"
#include "hanok/data/shards.h"
#include "hanok/data/shards/archive_file.h"
#include "hanok/data/shards/tar_scan.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

std::string size_text(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

void check_byte_limit(std::uintmax_t size, const std::string& name, const DecodeLimits& limits) {
  if (size > static_cast<std::uintmax_t>(limits.max_bytes)) {
    throw FormatError(name + ": " + std::to_string(size) + " bytes, more than the limit of " +
                      std::to_string(limits.max_bytes));
  }
}

/// The member that a path "DIR/a.tar/1.jpg" names behind its first `shard` bytes.
std::vector<std::uint8_t> read_from_shard(const std::string& path, std::size_t shard,
                                          const DecodeLimits& limits) {
  const ArchiveFile file(path.substr(0, shard));
  TarScan scan(file.path());
  for (TarMember member; scan.next(member);) {
    if (member.name != path.substr(shard + 1)) continue;
    check_byte_limit(static_cast<std::uintmax_t>(member.bytes), path, limits);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(member.bytes));
    file.read(member.offset, bytes.data(), bytes.size());
    return bytes;
  }
  throw IoError(path + ": the archive holds no such file");
}

std::vector<std::uint8_t> read_file(const std::string& path, const DecodeLimits& limits) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    if (const std::optional<std::size_t> shard = shard_part(path)) {
      return read_from_shard(path, *shard, limits);
    }
    throw IoError(path + ": no such file");
  }
  if (!std::filesystem::is_regular_file(status)) throw IoError(path + ": not a regular file");
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw IoError(path + ": " + error.message());
  check_byte_limit(size, path, limits);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(path + ": cannot be opened");
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (file.gcount() != static_cast<std::streamsize>(bytes.size())) {
    throw IoError(path + ": cannot be read to the end");
  }
  return bytes;
}

/// `difference` / 2, rounded half to even, as Python's round() does.
int half_to_even(int difference) {
  const int down = difference / 2;
  return difference % 2 != 0 && down % 2 != 0 ? down + 1 : down;
}

using Decoder = Image (*)(const std::uint8_t*, std::size_t, const std::string&,
                          const DecodeLimits&);

/// By the file's first bytes; null if no decoder reads them.
Decoder decoder_of(const std::uint8_t* bytes, std::size_t size) {
  struct Magic {
    std::string_view start;
    Decoder decoder;
  };
  static constexpr Magic kMagic[] = {
      {"\xFF\xD8\xFF", decode_jpeg},
      {"\x89PNG\r\n\x1A\n", decode_png},
      {"GIF87a", decode_gif},
      {"GIF89a", decode_gif},
      {std::string_view("II*\0", 4), decode_tiff},
      {std::string_view("MM\0*", 4), decode_tiff},
      {std::string_view("II+\0", 4), decode_tiff},  // BigTIFF
      {std::string_view("MM\0+", 4), decode_tiff},
  };
  const std::string_view file(reinterpret_cast<const char*>(bytes), size);
  if (file.starts_with("RIFF") && size >= 12 && file.substr(8, 4) == "WEBP") return decode_webp;
  // The size of a bitmap's second header tells it from text that begins with BM.
  if (file.starts_with("BM") && size >= 18 && file[16] == 0 && file[17] == 0) return decode_bmp;
  for (const Magic& magic : kMagic) {
    if (file.starts_with(magic.start)) return magic.decoder;
  }
  return nullptr;
}

}  // namespace

void check_pixel_limit(std::int64_t width, std::int64_t height, const std::string& name,
                       const DecodeLimits& limits) {
  if (width < 1 || height < 1) {
    throw FormatError(name + ": declares an empty image of " + size_text(width, height));
  }
  if (width > limits.max_pixels / height) {
    throw FormatError(name + ": declares " + size_text(width, height) +
                      " pixels, more than the limit of " + std::to_string(limits.max_pixels));
  }
}

void check_decoding_cost(const DecodingCost& cost, const std::string& name,
                         const DecodeLimits& limits) {
  constexpr std::uint64_t kStored = 4, kMemory = 7;
  const auto pixels = static_cast<std::uint64_t>(limits.max_pixels);
  if (cost.stored > kStored * pixels) {
    throw FormatError(name + ": stores " + std::to_string(cost.stored) +
                      " bytes of pixels, more than the limit of " +
                      std::to_string(kStored * pixels));
  }
  if (cost.memory > kMemory * pixels) {
    throw FormatError(name + ": takes " + std::to_string(cost.memory) +
                      " bytes of memory to decode, more than the limit of " +
                      std::to_string(kMemory * pixels));
  }
}

void cmyk_to_rgb(const std::uint8_t* ink, std::uint8_t black, std::uint8_t* rgb) {
  const unsigned light = 255U - black;
  for (int c = 0; c < 3; ++c) {
    const unsigned product = ink[c] * light + 128;  // / 255, rounded, is what follows
    rgb[c] = static_cast<std::uint8_t>(light - ((product + (product >> 8)) >> 8));
  }
}

Image decode_image(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                   const DecodeLimits& limits) {
  check_byte_limit(size, name, limits);
  if (size == 0) throw FormatError(name + ": the file is empty");
  const Decoder decoder = decoder_of(bytes, size);
  if (decoder) return decoder(bytes, size, name, limits);
  throw FormatError(name + ": " + describe_content(bytes, size));
}

Image decode_image_file(const std::string& path, const DecodeLimits& limits) {
  const std::vector<std::uint8_t> bytes = read_file(path, limits);
  return decode_image(bytes.data(), bytes.size(), path, limits);
}

Image crop(const Image& image, const Rectangle& part) {
  const auto [x, y, width, height] = part;
  if (x < 0 || y < 0 || width < 1 || height < 1 || x > image.width - width ||
      y > image.height - height) {
    throw ValueError("crop: " + size_text(width, height) + " at (" + std::to_string(x) + "," +
                     std::to_string(y) + ") leaves the image of " +
                     size_text(image.width, image.height));
  }
  Image result{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
  for (int row = 0; row < height; ++row) {
    std::memcpy(result.row(row), image.row(y + row) + std::size_t{3} * x, std::size_t{3} * width);
  }
  return result;
}

Image center_crop(const Image& image, int width, int height) {
  if (width < 1 || height < 1) {
    throw ValueError("center_crop: cannot cut " + size_text(width, height));
  }
  // torchvision pads first (the odd pixel goes right and below), then cuts with Python's rounding.
  const int pad_left = std::max(0, (width - image.width) / 2);
  const int pad_top = std::max(0, (height - image.height) / 2);
  const int left = half_to_even(std::max(0, image.width - width));
  const int top = half_to_even(std::max(0, image.height - height));
  const int copy_width = std::min(width, image.width);
  const int copy_height = std::min(height, image.height);
  Image result{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
  for (int row = 0; row < copy_height; ++row) {
    std::memcpy(result.row(pad_top + row) + std::size_t{3} * pad_left,
                image.row(top + row) + std::size_t{3} * left, std::size_t{3} * copy_width);
  }
  return result;
}

Image flip_horizontal(const Image& image) {
  Image result{image.width, image.height, std::vector<std::uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* in = image.row(y) + std::size_t{3} * image.width;
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < image.width; ++x, out += 3) {
      in -= 3;
      out[0] = in[0];
      out[1] = in[1];
      out[2] = in[2];
    }
  }
  return result;
}

}  // namespace hanok::data
