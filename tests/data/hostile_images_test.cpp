// Small image files that declare, repeat or unpack to a lot: each is refused, or read within the
// limits of tests/support/bounded.h.
#include <functional>
#include <gmock/gmock.h>
#include <zlib.h>

#include "hanok/data/dataset.h"
#include "hanok/data/image.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"
#include "tests/support/bounded.h"

namespace hanok::data {
namespace {

using hanok::test::expect_bounded;
using test::message_of;
using testing::HasSubstr;

std::string number(std::uint64_t value, int bytes, bool big_endian) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    const int shift = 8 * (big_endian ? bytes - 1 - i : i);
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}
std::string big(std::uint64_t value, int bytes) { return number(value, bytes, true); }
std::string little(std::uint64_t value, int bytes) { return number(value, bytes, false); }

std::string deflated(const std::string& content) {
  uLongf size = ::compressBound(content.size());
  std::string packed(size, '\0');
  ::compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
              reinterpret_cast<const Bytef*>(content.data()), content.size(), 9);
  packed.resize(size);
  return packed;
}

void expect_refused(const std::string& file, const std::string& part) {
  expect_bounded([&] {
    EXPECT_THAT(message_of<FormatError>([&] {
                  decode_image(reinterpret_cast<const std::uint8_t*>(file.data()), file.size(),
                               "photo");
                }),
                testing::AllOf(testing::StartsWith("photo: "), HasSubstr(part)));
  });
}

// ---- PNG ----

std::string chunk(const std::string& name, const std::string& content) {
  const std::string checked = name + content;
  return big(content.size(), 4) + checked +
         big(::crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size()), 4);
}

struct PngKind {
  std::uint32_t width, height;
  int depth, kind;
};
std::string png(const PngKind& png, const std::string& chunks) {
  return "\x89PNG\r\n\x1A\n" +
         chunk("IHDR", big(png.width, 4) + big(png.height, 4) + big(png.depth, 1) +
                           big(png.kind, 1) + std::string(3, '\0')) +
         chunks + chunk("IEND", "");
}

TEST(HostileImages, PngOf60000Squared) {
  const std::string file = png({60000, 60000, 8, 2}, chunk("IDAT", deflated(std::string(100, 0))));
  expect_refused(file, "declares 60000x60000 pixels, more than the limit of 134217728");
}

TEST(HostileImages, PngWithMoreBytesOfPixelsThanItsPixelsAllow) {
  // 11585x11585 is within the limit of pixels, but here each has 8 bytes.
  const std::string file =
      png({11585, 11585, 16, 6}, chunk("IDAT", deflated(std::string(1 << 20, 0))) +
                                     chunk("tIME", std::string(1'100'000, 0)));
  expect_refused(file, "stores 1073697800 bytes of pixels, more than the limit of 536870912");
}

TEST(HostileImages, PngWhoseTextsUnpackToAGigabyte) {
  const std::string text = "k" + std::string(2, 0) + deflated(std::string(7'900'000, ' '));
  std::string texts;
  for (int i = 0; i < 140; ++i) texts += chunk("zTXt", text);
  const std::string file = png({1, 1, 8, 0}, texts + chunk("IDAT", deflated(std::string(2, 0))));
  expect_bounded([&] {
    decode_image(reinterpret_cast<const std::uint8_t*>(file.data()), file.size(), "photo");
  });
}

// ---- JPEG ----

std::string segment(int marker, const std::string& content) {
  return "\xFF" + big(static_cast<std::uint64_t>(marker), 1) + big(content.size() + 2, 2) + content;
}

/// A grey progressive JPEG without an end, up to its first scan. Its Huffman tables have one code
/// each, "0": for DC a difference of 0, for AC `ac`.
std::string progressive(int width, int height, int channels, int ac) {
  std::string frame = big(8, 1) + big(static_cast<std::uint64_t>(height), 2) +
                      big(static_cast<std::uint64_t>(width), 2) +
                      big(static_cast<std::uint64_t>(channels), 1);
  for (int c = 1; c <= channels; ++c)
    frame += big(static_cast<std::uint64_t>(c), 1) + "\x11" + big(0, 1);
  const std::string one_code = "\x01" + std::string(15, '\0');
  return "\xFF\xD8" + segment(0xDB, std::string(1, '\0') + std::string(64, '\1')) +
         segment(0xC2, frame) + segment(0xC4, std::string(1, '\0') + one_code + big(0, 1)) +
         segment(0xC4, "\x10" + one_code + big(static_cast<std::uint64_t>(ac), 1));
}

TEST(HostileImages, JpegWithManyScansOfManyPixels) {
  // 64 million pixels; in each scan a code of 15 bits says that 27306 blocks are empty.
  std::string file = progressive(8000, 8000, 1, 0xE0);
  file += segment(0xDA, std::string("\x01\x01\0\0\0\0", 6)) + std::string(125'100, '\0');
  std::string scan = segment(0xDA, std::string("\x01\x01\0\x01\x3F\0", 6));
  int bits = 0;
  unsigned byte = 0;
  for (int code = 0; code < 38; ++code) {
    for (int bit = 0; bit < 15; ++bit) {  // "0", then the number of blocks above 16384
      byte = byte << 1 | static_cast<unsigned>(bit % 2);
      if (++bits % 8 == 0) scan += static_cast<char>(byte & 0xFF);
    }
  }
  scan += '\0';
  for (int i = 0; i < 400; ++i) file += scan;
  expect_refused(file + "\xFF\xD9", "more than 67 scans");
}

TEST(HostileImages, JpegWhoseCoefficientsTakeMoreMemoryThanAllowed) {
  const std::string file = progressive(11585, 11585, 3, 0) +
                           segment(0xDA, std::string("\x03\x01\0\x02\0\x03\0\0\0\0", 10)) +
                           std::string(1000, '\0') + "\xFF\xD9";
  expect_refused(file, "bytes of memory to decode, more than the limit of 939524096");
}

// ---- GIF, BMP ----

TEST(HostileImages, GifWithAHugeCanvas) {
  const std::string frame = "," + little(65534, 2) + little(65534, 2) + little(1, 2) +
                            little(1, 2) + std::string("\0\x02\x02\x44\x01\0;", 7);
  expect_refused("GIF89a" + little(1, 2) + little(1, 2) + std::string(3, '\0') + frame,
                 "declares 65535x65535 pixels");
}

TEST(HostileImages, BmpOfNothing) {
  const std::string header = little(40, 4) + little(0x7FFFFFFF, 4) + little(0x80000000, 4) +
                             little(1, 2) + little(8, 2) + little(1, 4) + std::string(20, '\0');
  expect_refused("BM" + std::string(8, '\0') + little(54, 4) + header, "pixels");
}

// ---- TIFF ----

struct Tag {
  int number, type;
  std::uint32_t count, value;
};
/// The directory comes first, `rest` right behind it.
std::string tiff(const std::vector<Tag>& tags, const std::string& rest) {
  std::string file = "II*" + std::string(1, '\0') + little(8, 4) + little(tags.size(), 2);
  for (const Tag& tag : tags) {
    file += little(static_cast<std::uint64_t>(tag.number), 2) +
            little(static_cast<std::uint64_t>(tag.type), 2) + little(tag.count, 4) +
            little(tag.value, 4);
  }
  return file + little(0, 4) + rest;
}

// A column of one pixel, cut into tiles of 8192x16: each is decoded whole.
TEST(HostileImages, TiffWithTilesMuchLargerThanTheImage) {
  constexpr std::uint32_t kTiles = 8000;
  const std::string tile = deflated(std::string(8192 * 16, '\0'));
  constexpr std::uint32_t kEnd = 8 + 2 + 12 * 10 + 4;
  std::string offsets, counts;
  for (std::uint32_t i = 0; i < kTiles; ++i) {
    offsets += little(kEnd, 4);
    counts += little(tile.size(), 4);
  }
  const auto first = static_cast<std::uint32_t>(kEnd + tile.size());
  const std::string file = tiff({{256, 4, 1, 1},
                                 {257, 4, 1, 16 * kTiles},
                                 {258, 3, 1, 8},
                                 {259, 3, 1, 8},
                                 {262, 3, 1, 1},
                                 {277, 3, 1, 1},
                                 {322, 4, 1, 8192},
                                 {323, 4, 1, 16},
                                 {324, 4, kTiles, first},
                                 {325, 4, kTiles, first + 4 * kTiles}},
                                tile + offsets + counts);
  expect_refused(file, "stores 1048576000 bytes of pixels");
}

TEST(HostileImages, TiffWithHugeStrips) {
  for (const std::uint32_t bytes : {0xFFFFFFFFU, 0x7FFFFFFFU, 0x40000000U}) {
    for (const std::uint32_t compression : {1U, 5U, 8U, 32773U}) {
      const std::string file = tiff({{256, 4, 1, 2000},
                                     {257, 4, 1, 2000},
                                     {258, 3, 1, 8},
                                     {259, 3, 1, compression},
                                     {262, 3, 1, 1},
                                     {273, 4, 1, 8},
                                     {277, 3, 1, 1},
                                     {278, 4, 1, 0xFFFFFFFF},
                                     {279, 4, 1, bytes}},
                                    "");
      expect_refused(file, "damaged TIFF");
    }
  }
}

TEST(HostileImages, TiffWithPixelsOfManyBytes) {
  const std::string file = tiff({{256, 4, 1, 11585},
                                 {257, 4, 1, 11585},
                                 {258, 3, 1, 16},
                                 {259, 3, 1, 8},
                                 {262, 3, 1, 1},
                                 {273, 4, 1, 8},
                                 {277, 3, 1, 6},
                                 {278, 4, 1, 11585},
                                 {279, 4, 1, 100}},
                                "");
  expect_refused(file, "bytes of pixels, more than the limit of 536870912");
}

}  // namespace
}  // namespace hanok::data
