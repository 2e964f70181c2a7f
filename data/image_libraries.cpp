#include "hanok/data/image_libraries.h"

#include <cstdio>
// jpeglib.h needs FILE and size_t.
#include <fmt/format.h>
#include <gif_lib.h>
#include <jpeglib.h>
#include <png.h>
#include <tiffio.h>
#include <webp/decode.h>

namespace hanok::data {
namespace {

/// 2 * 1000000 + 1 * 1000 + 5 is 2.1.5.
std::string jpeg_version() {
#if defined(LIBJPEG_TURBO_VERSION_NUMBER)
  constexpr int kNumber = LIBJPEG_TURBO_VERSION_NUMBER;
  return fmt::format("{}.{}.{}", kNumber / 1'000'000, kNumber / 1000 % 1000, kNumber % 1000);
#else
  return fmt::format("of JPEG {}", JPEG_LIB_VERSION);
#endif
}

/// "LIBTIFF, Version 4.5.0\nCopyright ..." -> "4.5.0"
std::string tiff_version() {
  const std::string text = TIFFGetVersion();
  const std::string line = text.substr(0, text.find('\n'));
  return line.substr(line.rfind(' ') + 1);
}

std::string webp_version() {
  const int number = WebPGetDecoderVersion();
  return fmt::format("{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
}

}  // namespace

std::map<std::string, std::string> image_libraries() {
  return {{"libjpeg-turbo", jpeg_version()},
          {"libpng", png_get_libpng_ver(nullptr)},
          {"libtiff", tiff_version()},
          {"libwebp", webp_version()},
          {"giflib", fmt::format("{}.{}.{}", GIFLIB_MAJOR, GIFLIB_MINOR, GIFLIB_RELEASE)}};
}

}  // namespace hanok::data
