#include "hanok/nn/models/convolution.h"

#include "hanok/nn/init.h"

namespace hanok::nn {

std::unique_ptr<Conv2d> kaiming_conv(std::int64_t in_channels, std::int64_t out_channels,
                                     std::int64_t kernel, std::int64_t stride, std::int64_t groups,
                                     bool bias) {
  Conv2dOptions options;
  options.in_channels = in_channels;
  options.out_channels = out_channels;
  options.kernel_h = options.kernel_w = kernel;
  options.window = {stride, stride, kernel / 2, kernel / 2, 1, 1};
  options.groups = groups;
  options.bias = bias;
  std::unique_ptr<Conv2d> layer;
  {
    const WithoutInit without_init;  // one initialisation is enough
    layer = std::make_unique<Conv2d>(options);
  }
  init::kaiming_normal(layer->weight.data(), 0, init::Fan::Out);
  if (bias) init::constant(layer->bias.data(), 0);
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
