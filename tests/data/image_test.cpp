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

/// Decodes the files of a golden and compares them with Pillow's pixels.
void expect_as_pillow(const std::string& golden_file, std::size_t cases) {
  const golden::Json file = golden::load(golden_file);
  ASSERT_GE(file.at("cases").size(), cases);
  for (const auto& [name, json] : file.at("cases").items()) {
    Image image;
    ASSERT_NO_THROW(image = decode(from_base64(json.at("file")))) << name;
    EXPECT_EQ(image.width, json.at("size")[0]) << name;
    EXPECT_EQ(image.height, json.at("size")[1]) << name;
    // Another version of libjpeg-turbo may differ by one step of rounding; PNG is exact.
    const int allowed = name.rfind("jpeg", 0) == 0 ? 1 : 0;
    EXPECT_LE(largest_difference(image, from_base64(json.at("pixels"))), allowed) << name;
  }
}

TEST(Decode, EqualsPillowForEveryKindOfJpegAndPng) { expect_as_pillow("data_decode.json", 25); }

TEST(Decode, EqualsPillowForEveryPlaceOfAnOrientation) {
  expect_as_pillow("data_orientation.json", 32);
}

TEST(Decode, EqualsPillowForWebpBmpAndGif) { expect_as_pillow("data_webp_bmp_gif.json", 35); }

TEST(Decode, EqualsPillowForTiff) { expect_as_pillow("data_tiff.json", 27); }

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

/// The files of all goldens of one format, by the beginning of their names.
std::vector<std::vector<std::uint8_t>> golden_files(const std::string& golden_file,
                                                    const std::string& format) {
  std::vector<std::vector<std::uint8_t>> files;
  const golden::Json golden = golden::load(golden_file);
  for (const auto& [name, json] : golden.at("cases").items()) {
    if (name.rfind(format, 0) == 0) files.push_back(from_base64(json.at("file")));
  }
  return files;
}

class DamagedFormat : public testing::TestWithParam<std::pair<const char*, const char*>> {};

// A file may end in bytes that are not part of the first frame or page, so a cut one is either
// refused or shows the whole picture.
TEST_P(DamagedFormat, ACutFileIsNeverAnotherPicture) {
  int refused = 0;
  for (const std::vector<std::uint8_t>& file : golden_files(GetParam().first, GetParam().second)) {
    const Image whole = decode(file);
    for (std::size_t size = 0; size < file.size(); ++size) {
      try {
        const Image cut = decode({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)});
        EXPECT_EQ(cut.pixels, whole.pixels) << size << " of " << file.size() << " bytes";
      } catch (const FormatError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

// Bytes replaced at random: an image within the limits or a FormatError, nothing else.
TEST_P(DamagedFormat, ReplacedBytesNeverCrash) {
  constexpr DecodeLimits kLimits{1 << 16, 1 << 20};
  int decoded = 0;
  int refused = 0;
  std::uint32_t draw = 12345;
  const auto below = [&draw](std::size_t count) {
    draw = draw * 1664525U + 1013904223U;  // Numerical Recipes' generator
    return (draw >> 8) % count;
  };
  for (const std::vector<std::uint8_t>& file : golden_files(GetParam().first, GetParam().second)) {
    for (int repeat = 0; repeat < 400; ++repeat) {
      std::vector<std::uint8_t> damaged = file;
      // Half of them in the first 64 bytes, where sizes and offsets are.
      const std::size_t range =
          repeat % 2 == 0 ? std::min<std::size_t>(64, file.size()) : file.size();
      for (std::size_t i = 0; i <= below(3); ++i) {
        damaged[below(range)] = static_cast<std::uint8_t>(below(256));
      }
      try {
        const Image image = decode(damaged, kLimits);
        EXPECT_LE(std::int64_t{image.width} * image.height, kLimits.max_pixels);
        EXPECT_EQ(image.pixels.size(), image.row_offset(image.height));
        ++decoded;
      } catch (const FormatError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(decoded, 100);
  EXPECT_GT(refused, 100);
}

INSTANTIATE_TEST_SUITE_P(, DamagedFormat,
                         testing::Values(std::pair("data_webp_bmp_gif.json", "webp"),
                                         std::pair("data_webp_bmp_gif.json", "bmp"),
                                         std::pair("data_webp_bmp_gif.json", "gif"),
                                         std::pair("data_tiff.json", "tiff"),
                                         std::pair("data_orientation.json", "jpeg"),
                                         std::pair("data_orientation.json", "png")),
                         [](const auto& info) { return std::string(info.param.second); });

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

// 3000x3000 within a few bytes: an animation needs eight bytes a pixel besides the image.
TEST(Hostile, TheCanvasOfAnAnimationIsLimited) {
  std::vector<std::uint8_t> file = golden_files("data_webp_bmp_gif.json", "webp animated").front();
  ASSERT_EQ(std::string(file.begin() + 12, file.begin() + 16), "VP8X");
  file[24] = file[27] = 0xB7;  // width and height, less one
  file[25] = file[28] = 0x0B;
  EXPECT_THAT(decode_error(file, {9'000'000, 1 << 20}),
              HasSubstr("declares 3000x3000 pixels, more than the limit of 2250000"));
  EXPECT_EQ(decode(file, {36'000'000, 1 << 20}).width, 3000);
}

TEST(Hostile, LargeFilesAreNotRead) {
  const TempFolder folder;
  const std::string path = folder.write("big.png", encode_png(noise("big", 20, 20)));
  EXPECT_THAT(message_of<FormatError>([&] {
                decode_image_file(path, {1 << 20, 100});
              }),
              AllOf(StartsWith(path), HasSubstr("more than the limit of 100")));
}

TEST(Unsupported, ContentIsNamed) {
  const auto error_of = [](std::string_view text) {
    return decode_error({text.begin(), text.end()});
  };
  const std::pair<std::string_view, const char*> cases[] = {
      {{"\0\0\0\x18"
        "ftypheic\0\0\0\0",
        16},
       "picture: a HEIC file; convert it with heif-convert"},
      {{"\0\0\0\x1C"
        "ftypavif\0\0\0\0",
        16},
       "an AVIF file; convert it"},
      {{"\0\0\0\x0CJXL \r\n\x87\n....", 16}, "a JPEG XL file; convert it with djxl"},
      {"\xFF\x0A........", "a JPEG XL file"},
      {{"\0\0\0\x0CjP  \r\n\x87\n....", 16}, "a JPEG 2000 file"},
      {"FUJIFILMCCD-RAW 0201", "a camera raw file; develop it"},
      {"8BPS....", "a PSD file; save it as JPEG or PNG"},
      {"<?xml version=\"1.0\"?>\n<svg xmlns=\"...\"/>", "an SVG drawing; render it"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
       "a Git LFS pointer and not the image itself; 'git lfs pull' fetches it"},
      {"\n<!DOCTYPE HTML><html><body>404 Not Found", "an HTML page and not an image"},
      {"\xEF\xBB\xBF<html>", "an HTML page"},
      {"{\"error\": \"quota exceeded\"}",
       "JSON text and not an image: '{\"error\": \"quota exceeded\"}'"},
      {"Repository not found.\n", "text and not an image: 'Repository not found.'"},
      {"BMW drove past\n", "text and not an image: 'BMW drove past'"},
      {"%PDF-1.7\n", "a PDF document and not an image"},
      {"PK\x03\x04....", "a ZIP archive"},
      {{"\0\0\0\x20"
        "ftypisom....",
        16},
       "a video and not an image"},
      {{"\0\0\0\0\0\0\0\0", 8}, "only zero bytes (an interrupted download or copy?)"},
      {{"\1\2\3\4\0", 5},
       "not an image of a format that is read (JPEG, PNG, WebP, BMP, GIF, TIFF)"},
      {"", "the file is empty"},
  };
  for (const auto& [content, expected] : cases) {
    const std::string message = error_of(content);
    EXPECT_THAT(message, AllOf(StartsWith("picture: "), HasSubstr(expected)));
  }
}

/// A TIFF of one grey row: `values` of `bits` bits in little-endian order, sample format `format`.
std::vector<std::uint8_t> grey_tiff(const std::vector<std::uint8_t>& values, int bits, int format) {
  std::vector<std::uint8_t> file = {'I', 'I', 42, 0, 8, 0, 0, 0};
  const auto append = [&file](std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) file.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const std::uint32_t count = static_cast<std::uint32_t>(values.size());
  const std::uint32_t tags[][2] = {{256, 8 * count / static_cast<std::uint32_t>(bits)},
                                   {257, 1},
                                   {258, static_cast<std::uint32_t>(bits)},
                                   {259, 1},
                                   {262, 1},
                                   {273, 8 + 2 + 12 * 10 + 4},
                                   {277, 1},
                                   {278, 1},
                                   {279, count},
                                   {339, static_cast<std::uint32_t>(format)}};
  append(10, 2);
  for (const auto& [tag, value] : tags) {
    append(tag, 2);
    append(4, 2);
    append(1, 4);
    append(value, 4);
  }
  append(0, 4);
  file.insert(file.end(), values.begin(), values.end());
  return file;
}

// Pillow clips 16-bit greys to white.
TEST(Tiff, SixteenBitGreysKeepTheirHighByte) {
  const Image image = decode(grey_tiff({0x34, 0x12, 0xFF, 0x80, 0x00, 0xFF}, 16, 1));
  EXPECT_EQ(image.pixels,
            (std::vector<std::uint8_t>{0x12, 0x12, 0x12, 0x80, 0x80, 0x80, 0xFF, 0xFF, 0xFF}));
}

TEST(Tiff, ValuesWithoutARangeAreRefused) {
  EXPECT_THAT(decode_error(grey_tiff({0, 0, 0, 0}, 32, 3)), HasSubstr("floating-point values"));
  EXPECT_THAT(decode_error(grey_tiff({0, 0}, 16, 2)), HasSubstr("signed values"));
  EXPECT_THAT(decode_error(grey_tiff({0, 0, 0, 0}, 32, 1)), HasSubstr("1 channel of 32 bits"));
}

TEST(Bmp, AlphaInFrontOfColoursAndUnevenMasks) {
  // 16 bits as 4 4 4 4, which Pillow refuses: each channel is scaled to 255.
  std::vector<std::uint8_t> file = {'B', 'M', 70, 0, 0, 0, 0, 0, 0, 0, 66, 0, 0, 0, 40, 0, 0, 0,
                                    2,   0,   0,  0, 1, 0, 0, 0, 1, 0, 16, 0, 3, 0, 0,  0, 4, 0,
                                    0,   0,   0,  0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0};
  for (const std::uint32_t mask : {0xF00U, 0xF0U, 0xFU}) {
    for (int i = 0; i < 4; ++i) file.push_back(static_cast<std::uint8_t>(mask >> (8 * i)));
  }
  file.insert(file.end(), {0x10, 0xF2, 0xF0, 0x0F});
  EXPECT_EQ(decode(file).pixels, (std::vector<std::uint8_t>{34, 17, 0, 255, 255, 0}));
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
