#include "hanok/nn/models/small.h"

#include <fmt/format.h>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

const std::vector<std::int64_t>& checked_sizes(const std::vector<std::int64_t>& sizes) {
  if (sizes.size() < 2) {
    throw ValueError(fmt::format("Mlp: needs at least two sizes, got {}", sizes.size()));
  }
  return sizes;
}

std::unique_ptr<Sequential> make_hidden(const std::vector<std::int64_t>& sizes) {
  auto hidden = std::make_unique<Sequential>();
  for (std::size_t i = 0; i + 2 < sizes.size(); ++i) {
    hidden->append(std::make_unique<Linear>(sizes[i], sizes[i + 1]));
    hidden->append(std::make_unique<ReLU>());
  }
  return hidden;
}

Conv2dOptions conv5x5(std::int64_t in_channels, std::int64_t out_channels) {
  Conv2dOptions options;
  options.in_channels = in_channels;
  options.out_channels = out_channels;
  options.kernel_h = options.kernel_w = 5;
  return options;
}

// Side of the 16 feature maps at fc1: each 5x5 convolution removes 4 pixels, each pooling halves.
std::int64_t pooled_side(std::int64_t image_size) { return ((image_size - 4) / 2 - 4) / 2; }

std::int64_t checked_image_size(std::int64_t image_size) {
  if (image_size < 16) {
    throw ValueError(
        fmt::format("LeNet: images must have at least 16 pixels a side, got {}", image_size));
  }
  return image_size;
}

}  // namespace

Mlp::Mlp(const std::vector<std::int64_t>& layer_sizes)
    : sizes(checked_sizes(layer_sizes)),
      hidden(this, "hidden", make_hidden(sizes)),
      head(this, "head", std::make_unique<Linear>(sizes[sizes.size() - 2], sizes.back())) {}

std::vector<Stage> Mlp::stages() {
  return {{{&hidden}, [this](const Tensor& x) { return hidden(ops::flatten(x, 1)); }},
          {{&head}, [this](const Tensor& x) { return head(x); }}};
}

std::unique_ptr<Module> Mlp::clone() const { return clone_as<Mlp>(sizes); }

LeNet::LeNet(std::int64_t classes, std::int64_t in_channels, std::int64_t image_size)
    : classes(classes),
      in_channels(in_channels),
      image_size(checked_image_size(image_size)),
      conv1(this, "conv1", conv5x5(in_channels, 6)),
      conv2(this, "conv2", conv5x5(6, 16)),
      fc1(this, "fc1", 16 * pooled_side(image_size) * pooled_side(image_size), 120),
      fc2(this, "fc2", 120, 84),
      fc3(this, "fc3", std::make_unique<Linear>(84, classes)) {}

std::vector<Stage> LeNet::stages() {
  const auto convolve = [](Child<Conv2d>& conv) {
    return Stage{{&conv}, [&conv](const Tensor& x) {
                   return ops::max_pool2d(ops::relu(conv(x)), 2, 2, {2, 2, 0, 0, 1, 1});
                 }};
  };
  return {convolve(conv1),
          convolve(conv2),
          {{&fc1}, [this](const Tensor& x) { return ops::relu(fc1(ops::flatten(x, 1))); }},
          {{&fc2}, [this](const Tensor& x) { return ops::relu(fc2(x)); }},
          {{&fc3}, [this](const Tensor& x) { return fc3(x); }}};
}

std::unique_ptr<Module> LeNet::clone() const {
  return clone_as<LeNet>(classes, in_channels, image_size);
}

}  // namespace hanok::nn
