// Decoding and resizing equal Pillow's; damaged and malicious files are rejected.
#include "hanok/data/image.h"

#include <array>
#include <gmock/gmock.h>

#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::from_base64;
using test::gradient;
using test::message_of;
using test::noise;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

int largest_difference(const Image& image, const std::vector<std::uint8_t>& expected) {
  if (image.pixels.size() != expected.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(image.pixels[i] - expected[i]));
  }
  return largest;
}

Image decode(const std::vector<std::uint8_t>& file, const DecodeLimits& limits = {}) {
  return decode_image(file.data(), file.size(), "picture", limits);
}

std::string decode_error(const std::vector<std::uint8_t>& file, const DecodeLimits& limits = {}) {
  return message_of<FormatError>([&] { decode(file, limits); });
}

TEST(Decode, EqualsPillowForEveryKind) {
  const golden::Json file = golden::load("data_decode.json");
  ASSERT_GE(file.at("cases").size(), 25U);
  for (const auto& [name, json] : file.at("cases").items()) {
    const Image image = decode(from_base64(json.at("file")));
    EXPECT_EQ(image.width, json.at("size")[0]) << name;
    EXPECT_EQ(image.height, json.at("size")[1]) << name;
    // Another version of libjpeg-turbo may differ by one step of rounding; PNG is exact.
    const int allowed = name.rfind("jpeg", 0) == 0 ? 1 : 0;
    EXPECT_LE(largest_difference(image, from_base64(json.at("pixels"))), allowed) << name;
  }
}

TEST(Resize, EqualsPillowToTheBit) {
  const golden::Json file = golden::load("data_resize.json");
  ASSERT_GE(file.at("cases").size(), 24U);
  for (const auto& [name, json] : file.at("cases").items()) {
    const Image image = noise(json.at("name"), json.at("from")[0], json.at("from")[1]);
    const Filter filter = json.at("filter") == "bicubic" ? Filter::Bicubic : Filter::Bilinear;
    const Image resized = resize(image, json.at("to")[0], json.at("to")[1], filter);
    EXPECT_EQ(largest_difference(resized, from_base64(json.at("pixels"))), 0) << name;
  }
}

// Single rows and narrow strips use the scalar filters; a whole image uses vectors of four rows and
// of 16 bytes. Both must give the same pixels.
TEST(Resize, VectorsGiveThePlainPixels) {
  for (const auto& [width, height, size] :
       {std::array{31, 9, 12}, {64, 5, 33}, {7, 6, 3}, {40, 23, 97}}) {
    const Image image = noise("vectors", width, height);
    const Image narrower = resize(image, size, height);
    const Image lower = resize(image, width, size);
    for (int y = 0; y < height; ++y) {
      const Image row = resize(crop(image, {0, y, width, 1}), size, 1);
      EXPECT_TRUE(std::equal(row.pixels.begin(), row.pixels.end(), narrower.row(y))) << y;
    }
    for (int x = 0; x < width; ++x) {
      EXPECT_EQ(resize(crop(image, {x, 0, 1, height}), 1, size).pixels,
                crop(lower, {x, 0, 1, size}).pixels)
          << x;
    }
  }
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const Image image = noise("same", 13, 9);
  EXPECT_EQ(resize(image, 13, 9, Filter::Bicubic).pixels, image.pixels);
}

TEST(Resize, ShorterSideTruncatesTheLonger) {
  const Image wide = resize_shorter_side(noise("wide", 50, 33), 20);
  EXPECT_EQ(wide.width, 30);  // 20 * 50 / 33 = 30.3
  EXPECT_EQ(wide.height, 20);
  const Image tall = resize_shorter_side(noise("tall", 33, 65), 20);
  EXPECT_EQ(tall.width, 20);
  EXPECT_EQ(tall.height, 39);  // 39.4
}

TEST(Resize, RefusesALongerSideBeyondAllMemory) {
  EXPECT_EQ(message_of<ValueError>([] { resize_shorter_side(gradient(1 << 16, 1), 64); }),
            "resize: a shorter side of 64 makes the longer 4194304 out of 65536x1, more than the "
            "limit of 134217728 pixels");
  EXPECT_THAT(message_of<ValueError>([] { resize_shorter_side(gradient(1, 1 << 16), 1 << 16); }),
              HasSubstr("makes the longer 4294967296 out of 1x65536"));
}

TEST(Resize, RefusesEmptySizes) {
  EXPECT_THAT(message_of<ValueError>([] { resize(gradient(4, 5), 0, 3); }),
              HasSubstr("cannot make 0x3 out of 4x5"));
  EXPECT_THROW(resize(Image{}, 3, 3), ValueError);
}

TEST(Crop, CutsTheRectangle) {
  const Image image = gradient(8, 6);
  const Image part = crop(image, {2, 1, 5, 4});
  for (int y = 0; y < 4; ++y) {
    for (int i = 0; i < 15; ++i) EXPECT_EQ(part.row(y)[i], image.row(y + 1)[6 + i]);
  }
  EXPECT_THAT(message_of<ValueError>([&] {
                crop(image, {4, 0, 5, 2});
              }),
              HasSubstr("5x2 at (4,0) leaves the image of 8x6"));
  EXPECT_THROW(crop(image, {-1, 0, 2, 2}), ValueError);
  EXPECT_THROW(crop(image, {0, 5, 2, 2}), ValueError);
  EXPECT_THROW(crop(image, {0, 0, 0, 2}), ValueError);
}

/// First row and column of the stored image that center_crop kept, by torchvision's rule
/// int(round((size - crop) / 2)), where Python rounds half to even.
TEST(CenterCrop, RoundsAsTorchvision) {
  for (const auto& [size, cut, first] :
       std::vector<std::array<int, 3>>{{7, 4, 2}, {9, 4, 2}, {11, 4, 4}, {8, 4, 2}, {5, 4, 0}}) {
    const Image image = noise("crop", size, size);
    const Image part = center_crop(image, cut, cut);
    EXPECT_EQ(part.pixels, crop(image, {first, first, cut, cut}).pixels) << size << " to " << cut;
  }
}

TEST(CenterCrop, PadsSmallImagesWithBlack) {
  const Image image = noise("pad", 3, 2);
  const Image padded = center_crop(image, 6, 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 6; ++x) {
      for (int c = 0; c < 3; ++c) {
        const bool inside = x >= 1 && x < 4 && y >= 1 && y < 3;
        const int expected = inside ? image.row(y - 1)[3 * (x - 1) + c] : 0;
        EXPECT_EQ(padded.row(y)[3 * x + c], expected);
      }
    }
  }
}

TEST(Flip, MirrorsRows) {
  const Image image = noise("flip", 5, 3);
  const Image flipped = flip_horizontal(image);
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 5; ++x) {
      for (int c = 0; c < 3; ++c) {
        EXPECT_EQ(flipped.row(y)[3 * x + c], image.row(y)[3 * (4 - x) + c]);
      }
    }
  }
}

TEST(Encode, PngKeepsEveryPixel) {
  const Image image = noise("png", 31, 17);
  const Image back = decode(encode_png(image));
  EXPECT_EQ(back.width, 31);
  EXPECT_EQ(back.pixels, image.pixels);
}

TEST(Encode, JpegStaysNear) {
  const Image image = resize(gradient(9, 9), 64, 48, Filter::Bicubic);
  const Image back = decode(encode_jpeg(image, 95));
  EXPECT_EQ(back.height, 48);
  double difference = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    difference += std::abs(image.pixels[i] - back.pixels[i]);
  }
  EXPECT_LT(difference / static_cast<double>(image.pixels.size()), 3);
  EXPECT_LT(encode_jpeg(image, 20).size(), encode_jpeg(image, 95).size());
}

TEST(Encode, RefusesWhatCannotBeWritten) {
  EXPECT_THROW(encode_png(Image{}), ValueError);
  EXPECT_THROW(encode_jpeg(Image{}), ValueError);
  EXPECT_THROW(encode_jpeg(gradient(4, 4), 0), ValueError);
  EXPECT_THROW(encode_jpeg(gradient(4, 4), 101), ValueError);
  EXPECT_THROW(encode_jpeg(Image{70000, 1, std::vector<std::uint8_t>(210000)}), Error);
}

// No truncated file may decode to an image.
TEST(Damaged, EveryTruncationIsAnError) {
  const Image image = noise("truncated", 24, 20);
  for (const std::vector<std::uint8_t>& file : {encode_jpeg(image), encode_png(image)}) {
    for (std::size_t size = 0; size < file.size(); ++size) {
      const std::vector<std::uint8_t> cut(file.begin(),
                                          file.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(decode(cut), FormatError) << size << " of " << file.size() << " bytes";
    }
    EXPECT_EQ(decode(file).width, 24);
  }
}

// With any flipped byte the file is an image or a FormatError; PNG's checksums make most flips an
// error.
TEST(Damaged, FlippedBytesNeverCrash) {
  const Image image = noise("flipped", 16, 12);
  for (const std::vector<std::uint8_t>& file : {encode_jpeg(image), encode_png(image)}) {
    int refused = 0;
    for (std::size_t at = 0; at < file.size(); ++at) {
      std::vector<std::uint8_t> damaged = file;
      damaged[at] ^= 0x55;
      try {
        const Image result = decode(damaged, {1 << 20, 1 << 20});
        EXPECT_EQ(result.pixels.size(), std::size_t{3} * result.width * result.height);
      } catch (const FormatError&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 10);
  }
}

TEST(Damaged, PngWithABadChecksum) {
  std::vector<std::uint8_t> file = encode_png(noise("crc", 8, 8));
  file[file.size() - 14] ^= 1;  // in the last data chunk's checksum (IEND is 12 bytes)
  EXPECT_THAT(decode_error(file), AllOf(StartsWith("picture: damaged PNG"), HasSubstr("CRC")));
}

TEST(Hostile, DeclaredSizesAreCheckedBeforeMemoryIsTaken) {
  // A bare PNG header: signature, length, IHDR, width, height, depth, colour, ..., checksum.
  const std::vector<std::uint8_t> small = encode_png(gradient(4, 4));
  const DecodeLimits limits{15, 1 << 20};
  EXPECT_THAT(decode_error(small, limits),
              HasSubstr("declares 4x4 pixels, more than the limit of 15"));
  EXPECT_THAT(decode_error(encode_jpeg(gradient(4, 4)), limits),
              HasSubstr("declares 4x4 pixels, more than the limit of 15"));
  EXPECT_EQ(decode(small, {16, 1 << 20}).width, 4);
  std::vector<std::uint8_t> jpeg = encode_jpeg(gradient(16, 16));
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC0) {  // the frame header: height, width
      jpeg[i + 5] = jpeg[i + 7] = 0xFF;
      jpeg[i + 6] = jpeg[i + 8] = 0x00;
      break;
    }
  }
  EXPECT_THAT(decode_error(jpeg), HasSubstr("declares 65280x65280 pixels"));
}

TEST(Hostile, APngThatCannotHoldWhatItDeclares) {
  // 11000x11000 is within the limit, but 45 bytes cannot inflate to it. The header's checksum is
  // correct.
  const std::vector<std::uint8_t> file = {
      0x89, 'P',  'N',  'G',  '\r', '\n', 0x1A, '\n', 0x00, 0x00, 0x00, 0x0D, 'I',  'H', 'D',
      'R',  0x00, 0x00, 0x2A, 0xF8, 0x00, 0x00, 0x2A, 0xF8, 0x08, 0x02, 0x00, 0x00, 0x00};
  std::vector<std::uint8_t> whole = file;
  const auto crc = [](const std::uint8_t* bytes, std::size_t size) {
    std::uint32_t value = 0xFFFFFFFF;
    for (std::size_t i = 0; i < size; ++i) {
      value ^= bytes[i];
      for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0xEDB88320U : value >> 1;
    }
    return ~value;
  };
  const auto append_number = [&whole](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      whole.push_back(static_cast<std::uint8_t>(value >> shift));
    }
  };
  append_number(crc(file.data() + 12, 17));
  append_number(0);  // an empty data chunk, where reading the header ends
  whole.insert(whole.end(), {'I', 'D', 'A', 'T'});
  append_number(crc(reinterpret_cast<const std::uint8_t*>("IDAT"), 4));
  EXPECT_THAT(decode_error(whole), HasSubstr("declares 11000x11000 pixels, more than 45 bytes"));
}

TEST(Hostile, LargeFilesAreNotRead) {
  const TempFolder folder;
  const std::string path = folder.write("big.png", encode_png(noise("big", 20, 20)));
  EXPECT_THAT(message_of<FormatError>([&] {
                decode_image_file(path, {1 << 20, 100});
              }),
              AllOf(StartsWith(path), HasSubstr("more than the limit of 100")));
}

TEST(Unsupported, FormatsAreNamed) {
  const auto error_of = [](const std::string& text) {
    return decode_error({text.begin(), text.end()});
  };
  EXPECT_THAT(error_of("GIF89a......"), HasSubstr("picture: a GIF file; only JPEG and PNG"));
  EXPECT_THAT(error_of(std::string("RIFF\x10\0\0\0WEBPVP8 ", 16)), HasSubstr("a WebP file"));
  EXPECT_THAT(error_of("BM......"), HasSubstr("a BMP file"));
  EXPECT_THAT(error_of(std::string("II*\0....", 8)), HasSubstr("a TIFF file"));
  EXPECT_THAT(error_of(std::string("\0\0\0\x18"
                                   "ftypheic",
                                   12)),
              HasSubstr("a HEIC file"));
  EXPECT_THAT(error_of("once upon a time"), HasSubstr("neither a JPEG nor a PNG file"));
  EXPECT_THAT(error_of(""), HasSubstr("the file is empty"));
}

TEST(Files, ContentCountsAndNotTheName) {
  const TempFolder folder;
  const Image image = noise("content", 6, 5);
  EXPECT_EQ(decode_image_file(folder.write("png.jpg", encode_png(image))).pixels, image.pixels);
  EXPECT_EQ(decode_image_file(folder.write("jpg.png", encode_jpeg(image))).width, 6);
}

TEST(Files, MissingOnesAndFoldersAreIoErrors) {
  const TempFolder folder;
  EXPECT_THAT(message_of<IoError>([&] { decode_image_file(folder.path() + "/none.jpg"); }),
              HasSubstr("none.jpg: no such file"));
  EXPECT_THAT(message_of<IoError>([&] { decode_image_file(folder.path()); }),
              HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace hanok::data
