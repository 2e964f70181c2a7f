// Photographs: each format that decode_image() takes, what is read of them without decoding, and
// where they say which side is up.
#include <array>
#include <string_view>
#include <zlib.h>

#include "hanok/apps/data_report/image_header.h"
#include "hanok/apps/data_report/jpeg_tables.h"
#include "hanok/data/formats/codecs.h"
#include "hanok/data/image.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"

namespace hanok::fuzz {
namespace {

// Small, so that the fuzzer tries many files; images_test.cpp holds the true limits against bombs.
constexpr data::DecodeLimits kLimits{.max_pixels = std::int64_t{1} << 20,
                                     .max_bytes = std::int64_t{1} << 24};

void decode(const std::string& file) {
  expect_refusal_or_result("photo", [&] {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.data());
    const data::Image image = data::decode_image(bytes, file.size(), "photo", kLimits);
    if (image.pixels.size() != image.row_offset(image.height)) std::abort();
  });
}

/// Decodes the file if it still has the format's first bytes: others are other targets' business.
void decode_with(std::string_view magic, Bytes bytes) {
  const std::string file = text_of(bytes);
  if (std::string_view(file).starts_with(magic)) decode(file);
}

std::string big_endian(std::uint64_t value, int bytes) {
  std::string text = little_endian(value, bytes);
  std::reverse(text.begin(), text.end());
  return text;
}

/// A chunk of a PNG file with its checksum.
std::string png_chunk(const std::string& name, const std::string& content) {
  const std::string checked = name + content;
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size());
  return big_endian(content.size(), 4) + checked + big_endian(crc, 4);
}

std::string deflated(const std::string& content) {
  uLongf size = ::compressBound(content.size());
  std::string packed(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(packed.data()), &size,
             reinterpret_cast<const Bytef*>(content.data()), content.size());
  packed.resize(size);
  return packed;
}

}  // namespace

void run_jpeg(Bytes bytes) { decode_with("\xFF\xD8\xFF", bytes); }
void run_webp(Bytes bytes) { decode_with("RIFF", bytes); }
void run_gif(Bytes bytes) { decode_with("GIF8", bytes); }
void run_bmp(Bytes bytes) { decode_with("BM", bytes); }

void run_tiff(Bytes bytes) {
  decode_with("II", bytes);
  decode_with("MM", bytes);
}

// Chunks with right checksums, without which libpng looks at nothing: one byte chooses the chunk,
// two are its length. The content of IDAT is compressed here, that of others is taken as it is.
void run_png(Bytes bytes) {
  static constexpr std::array<const char*, 16> kNames = {
      "IDAT", "IDAT", "PLTE", "tRNS", "eXIf", "tEXt", "zTXt", "iTXt",
      "iCCP", "gAMA", "sBIT", "bKGD", "pHYs", "sPLT", "hIST", "IHDR"};
  ByteSource source(bytes);
  std::string file = "\x89PNG\r\n\x1A\n";
  // Mostly sensible: sides of one byte, one of the depths and kinds.
  const std::string sides = big_endian(source.byte(), 4) + big_endian(source.byte(), 4);
  file += png_chunk("IHDR", sides + text_of(source.take(5)));
  while (!source.empty()) {
    const std::string name = kNames[source.below(kNames.size())];
    const std::string content = text_of(source.take(source.number(2)));
    file += png_chunk(name, name == "IDAT" && source.flag() ? deflated(content) : content);
  }
  decode(file + png_chunk("IEND", ""));
  decode_with("\x89PNG", bytes);
}

void run_orientation(Bytes bytes) {
  ByteSource source(bytes);
  data::OrientationRecord record;
  const Bytes exif = source.take(source.number(2));
  record.exif.assign(exif.begin(), exif.end());
  record.xmp = text_of(source.rest());
  const int orientation = record.orientation();
  if (orientation < 1 || orientation > 8) std::abort();
  data::raw_profile(record.xmp);
  data::describe_content(bytes.data(), bytes.size());
}

void run_image_header(Bytes bytes) {
  data_report::read_image_header(bytes.data(), bytes.size());
  data_report::read_jpeg_tables(bytes.data(), bytes.size());
}

}  // namespace hanok::fuzz
