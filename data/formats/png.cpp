// PNG through libpng; every kind becomes 8-bit RGB as with Pillow's convert("RGB"): the high byte
// of 16 bits, palettes expanded, alpha dropped.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <png.h>
#include <string_view>
#include <utility>

#include "hanok/data/formats/codecs.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

constexpr const char* kCut = "the file ends too early (an interrupted download or copy?)";

/// Everything that must survive libpng's longjmp, outside the functions that call setjmp.
struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::uint8_t* bytes = nullptr;
  std::size_t left = 0;
  char message[256] = "";
  Image image;
  std::vector<png_bytep> rows;

  Reader(const std::uint8_t* data, std::size_t size);
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

void on_error(png_structp png, png_const_charp message) {
  auto* text = static_cast<char*>(png_get_error_ptr(png));
  std::snprintf(text, sizeof Reader::message, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}  // about optional chunks, which are not used

void read_bytes(png_structp png, png_bytep target, std::size_t count) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader->left) png_error(png, kCut);
  std::memcpy(target, reader->bytes, count);
  reader->bytes += count;
  reader->left -= count;
}

Reader::Reader(const std::uint8_t* data, std::size_t size) : bytes(data), left(size) {
  png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  if (png) info = png_create_info_struct(png);
  if (!info) throw Error("decode_png: libpng has no memory");
  png_set_read_fn(png, this, read_bytes);
  // A chunk of text may decompress to 8 MB, and libpng keeps a thousand of them.
  constexpr png_uint_32 kMostTexts = 32;
  png_set_chunk_cache_max(png, kMostTexts);
}

bool read_header(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_info(reader.png, reader.info);
  return true;
}

/// Requests 8-bit RGB from libpng for every stored format. False if libpng failed.
bool request_rgb(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  const int color = png_get_color_type(reader.png, reader.info);
  if (png_get_bit_depth(reader.png, reader.info) == 16) png_set_strip_16(reader.png);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(reader.png);
  if (!(color & PNG_COLOR_MASK_COLOR)) {
    png_set_expand_gray_1_2_4_to_8(reader.png);
    png_set_gray_to_rgb(reader.png);
  }
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_pixels(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, reader.rows.data());
  png_read_end(reader.png, reader.info);  // up to the last chunk: a truncated file is damaged
  return true;
}

/// From the chunk eXIf, and from text under the keys that Pillow knows.
int orientation_of(Reader& reader) {
  OrientationRecord record;
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(reader.png, reader.info, &texts, &count);
  for (int i = 0; i < count; ++i) {
    const std::string_view key = texts[i].key;
    if (!texts[i].text) continue;
    const std::string_view text(texts[i].text,
                                std::max(texts[i].text_length, texts[i].itxt_length));
    if (key == "Raw profile type exif") record.exif = raw_profile(text);
    if (key == "XML:com.adobe.xmp") record.xmp = text;
  }
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) && exif) {
    record.exif.assign(exif, exif + size);
  }
  return record.orientation();
}

[[noreturn]] void throw_error(const Reader& reader, const std::string& name) {
  throw FormatError(name + ": damaged PNG: " + reader.message);
}

/// libpng takes and clears memory of a chunk's stated length before it reads: a length beyond the
/// file's end is an error before that. A chunk: length (4 bytes, big-endian), name, data, checksum.
void check_chunks(const std::uint8_t* bytes, std::size_t size, const std::string& name) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kAround = 12;
  for (std::size_t at = kSignature; at + kAround <= size;) {
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | bytes[at + i];
    if (std::memcmp(bytes + at + 4, "IEND", 4) == 0) return;
    if (length > size - at - kAround) throw FormatError(name + ": damaged PNG: " + kCut);
    at += kAround + length;
  }
}

/// Deflate compresses at most 1032-fold: a small file that declares a huge image is rejected before
/// memory is allocated.
void check_compression(const Reader& reader, std::size_t file_size, const std::string& name) {
  constexpr std::uint64_t kMaxRatio = 1032;
  const std::uint64_t stored = std::uint64_t{png_get_rowbytes(reader.png, reader.info)} *
                               png_get_image_height(reader.png, reader.info);
  if (stored > kMaxRatio * file_size) {
    throw FormatError(name + ": damaged PNG: declares " +
                      std::to_string(png_get_image_width(reader.png, reader.info)) + "x" +
                      std::to_string(png_get_image_height(reader.png, reader.info)) +
                      " pixels, more than " + std::to_string(file_size) + " bytes can hold");
  }
}

void append(png_structp png, png_bytep bytes, std::size_t count) {
  auto* file = static_cast<std::vector<std::uint8_t>*>(png_get_io_ptr(png));
  file->insert(file->end(), bytes, bytes + count);
}

void no_flush(png_structp) {}

}  // namespace

Image decode_png(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits) {
  check_chunks(bytes, size, name);
  Reader reader(bytes, size);
  if (!read_header(reader)) throw_error(reader, name);
  const png_uint_32 width = png_get_image_width(reader.png, reader.info);
  const png_uint_32 height = png_get_image_height(reader.png, reader.info);
  check_pixel_limit(width, height, name, limits);
  check_compression(reader, size, name);
  check_decoding_cost({.stored = std::uint64_t{png_get_rowbytes(reader.png, reader.info)} * height},
                      name, limits);
  if (!request_rgb(reader)) throw_error(reader, name);
  if (png_get_rowbytes(reader.png, reader.info) != std::size_t{3} * width) {
    throw FormatError(name + ": unsupported PNG format");
  }

  reader.image.width = static_cast<int>(width);
  reader.image.height = static_cast<int>(height);
  reader.image.pixels.resize(std::size_t{3} * width * height);
  reader.rows.resize(height);
  for (int y = 0; y < reader.image.height; ++y) {
    reader.rows[static_cast<std::size_t>(y)] = reader.image.row(y);
  }
  if (!read_pixels(reader)) throw_error(reader, name);

  const int orientation = orientation_of(reader);
  png_destroy_read_struct(&reader.png, &reader.info, nullptr);  // texts, before a second image
  return apply_orientation(std::move(reader.image), orientation);
}

std::vector<std::uint8_t> encode_png(const Image& image) {
  if (image.width < 1 || image.height < 1) {
    throw ValueError("encode_png: cannot write an image of " + std::to_string(image.width) + "x" +
                     std::to_string(image.height));
  }
  std::vector<std::uint8_t> file;
  char message[sizeof Reader::message] = "";
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) {
    png_destroy_write_struct(&png, nullptr);
    throw Error("encode_png: libpng has no memory");
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    throw Error(std::string("encode_png: ") + message);
  }
  png_set_write_fn(png, &file, append, no_flush);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width),
               static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.row(y));
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace hanok::data
