#include "hanok/nn/models/convolution.h"

#include "hanok/nn/init.h"

namespace hanok::nn {

std::unique_ptr<Conv2d> kaiming_conv(const SquareConvOptions& square) {
  Conv2dOptions options;
  options.in_channels = square.in_channels;
  options.out_channels = square.out_channels;
  options.kernel_h = options.kernel_w = square.kernel;
  options.window.stride_h = options.window.stride_w = square.stride;
  options.window.pad_h = options.window.pad_w = square.kernel / 2;
  options.groups = square.groups;
  options.bias = square.bias;
  std::unique_ptr<Conv2d> layer;
  {
    const WithoutInit without_init;  // this function initialises the weights itself
    layer = std::make_unique<Conv2d>(options);
  }
  init::kaiming_normal(layer->weight.data(), 0, init::Fan::Out);
  if (square.bias) init::constant(layer->bias.data(), 0);
  return layer;
}

std::unique_ptr<Linear> normal_linear(std::int64_t in_features, std::int64_t out_features,
                                      float stddev) {
  std::unique_ptr<Linear> layer;
  {
    const WithoutInit without_init;
    layer = std::make_unique<Linear>(in_features, out_features);
  }
  init::normal(layer->weight.data(), 0, stddev);
  init::constant(layer->bias.data(), 0);
  return layer;
}

}  // namespace hanok::nn
