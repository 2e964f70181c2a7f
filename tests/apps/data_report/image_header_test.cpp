// What the first bytes of a photograph say.
#include "hanok/apps/data_report/image_header.h"

#include <gtest/gtest.h>

#include "hanok/data/image.h"
#include "tests/data/support.h"

namespace hanok::test {
namespace {

TEST(ImageHeader, TellsFormatModeAndSizeFromTheFirstBytes) {
  const auto read = [](std::initializer_list<int> bytes) {
    const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());
    return data_report::read_image_header(data.data(), data.size());
  };
  const auto png = [&read](int depth, int color) {
    return read({0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0,     13,    'I', 'H',
                 'D',  'R', 0,   0,   1,  2,  0,  0,  0, 7, depth, color, 0,   0});
  };
  const auto grey = png(16, 0);
  ASSERT_TRUE(grey);
  EXPECT_EQ(grey->format, "PNG");
  EXPECT_EQ(grey->mode, "grey, 16 bit");
  EXPECT_EQ(grey->width, 258);
  EXPECT_EQ(grey->height, 7);
  EXPECT_EQ(png(8, 2)->mode, "RGB");
  EXPECT_EQ(png(8, 3)->mode, "palette");
  EXPECT_EQ(png(8, 4)->mode, "grey with alpha");
  EXPECT_EQ(png(8, 6)->mode, "RGBA");
  EXPECT_FALSE(png(8, 5));

  const auto jpeg = [&read](int marker, int components) {  // an APP0 segment of 4 bytes comes first
    return read(
        {0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, marker, 0, 17, 8, 1, 0, 0, 9, components});
  };
  const auto color = jpeg(0xC0, 3);
  ASSERT_TRUE(color);
  EXPECT_EQ(color->format, "JPEG");
  EXPECT_EQ(color->mode, "RGB");
  EXPECT_EQ(color->width, 9);
  EXPECT_EQ(color->height, 256);
  EXPECT_EQ(jpeg(0xC1, 1)->mode, "grey");
  EXPECT_EQ(jpeg(0xC2, 4)->mode, "CMYK, progressive");
  EXPECT_FALSE(jpeg(0xC4, 3));  // a Huffman table, then nothing

  EXPECT_FALSE(read({}));
  EXPECT_FALSE(read({'G', 'I', 'F', '8'}));
  EXPECT_FALSE(read({0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1}));
  EXPECT_FALSE(read({0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0}));
}

TEST(ImageHeader, AgreesWithTheDecoder) {
  data::Image image{31, 17, std::vector<std::uint8_t>(std::size_t{3} * 31 * 17, 90)};
  for (const auto& bytes : {data::encode_png(image), data::encode_jpeg(image)}) {
    const auto header = data_report::read_image_header(bytes.data(), bytes.size());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->mode, "RGB");
    EXPECT_EQ(header->width, 31);
    EXPECT_EQ(header->height, 17);
  }
}

TEST(ImageHeader, KnowsTheSizesOfWebpBmpGifAndTiff) {
  int read = 0;
  for (const char* golden_file : {"data_webp_bmp_gif.json", "data_tiff.json"}) {
    const golden::Json golden = golden::load(golden_file);
    for (const auto& [name, json] : golden.at("cases").items()) {
      // A frame beyond its canvas is found by decoding; BigTIFF has other numbers.
      if (name == "gif beyond its canvas" || name == "tiff big") continue;
      const std::vector<std::uint8_t> bytes = data::test::from_base64(json.at("file"));
      const auto header = data_report::read_image_header(bytes.data(), bytes.size());
      ASSERT_TRUE(header) << name;
      EXPECT_EQ(header->width, json.at("size")[0]) << name;
      EXPECT_EQ(header->height, json.at("size")[1]) << name;
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        data_report::read_image_header(
            std::vector<std::uint8_t>(bytes.data(), bytes.data() + size).data(), size);
      }
      ++read;
    }
  }
  EXPECT_GT(read, 60);
}

}  // namespace
}  // namespace hanok::test
