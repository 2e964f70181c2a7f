#include "hanok/data/transforms.h"

#include "hanok/data/adjust.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {

Preprocessing Preprocessing::imagenet() {
  Preprocessing result;
  result.resize = 256;
  result.image_size = 224;
  return result;
}

Image preprocess(const Image& image, const Preprocessing& preprocessing) {
  const int size = preprocessing.image_size;
  if (size < 1) throw ValueError("preprocess: image_size is " + std::to_string(size));
  if (preprocessing.resize < 0) {
    throw ValueError("preprocess: resize is " + std::to_string(preprocessing.resize));
  }
  Image result =
      preprocessing.resize == 0
          ? resize(image, size, size, preprocessing.filter)
          : center_crop(resize_shorter_side(image, preprocessing.resize, preprocessing.filter),
                        size, size);
  return preprocessing.grayscale ? grayscale(result) : result;
}

void check_shape(const Image& image, const Preprocessing& preprocessing) {
  if (preprocessing.resize > 0) check_shorter_side(image, preprocessing.resize);
}

}  // namespace hanok::data
