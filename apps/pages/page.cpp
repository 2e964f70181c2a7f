#include "hanok/apps/pages/page.h"

#include <algorithm>

namespace hanok::pages {

Picture thumbnail(const data::Image& image, int side, int quality) {
  const int longer = std::max(image.width, image.height);
  data::Image small = image;
  if (longer > side) {
    const auto scaled = [&](int length) {
      return std::max(1, static_cast<int>(std::int64_t{length} * side / longer));
    };
    small = data::resize(image, scaled(image.width), scaled(image.height));
  }
  return {.bytes = data::encode_jpeg(small, quality),
          .mime = "image/jpeg",
          .width = small.width,
          .height = small.height};
}

Picture lossless(const data::Image& image) {
  return {.bytes = data::encode_png(image),
          .mime = "image/png",
          .width = image.width,
          .height = image.height};
}

}  // namespace hanok::pages
