#include "hanok/apps/pages/page.h"

#include <algorithm>

namespace hanok::pages {

Picture thumbnail(const data::Image& image, int side, int quality) {
  const bool fits = std::max(image.width, image.height) <= side;
  const data::Image small = fits ? image : data::resize_longer_side(image, side);
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
