#include "hanok/nn/models/convolution.h"

#include <typeinfo>

#include "hanok/nn/init.h"

namespace hanok::nn {
namespace {

// The modules of `block`, those of inner Sequentials in their place; false if one has a hook.
bool add_modules(const Sequential& block, std::vector<Module*>& modules) {
  if (block.has_forward_hooks()) return false;
  for (std::size_t i = 0; i < block.size(); ++i) {
    Module& module = block[i];
    if (typeid(module) == typeid(Sequential)) {
      if (!add_modules(static_cast<Sequential&>(module), modules)) return false;
    } else {
      if (module.has_forward_hooks()) return false;
      modules.push_back(&module);
    }
  }
  return true;
}

template <typename Layer>
bool is(const Module& module) {
  return typeid(module) == typeid(Layer);
}

}  // namespace

std::vector<ops::ConvNorm> inverted_residual_layers(const Sequential& block) {
  std::vector<Module*> modules;
  if (!add_modules(block, modules) || modules.size() % 3 != 2) return {};
  std::vector<ops::ConvNorm> layers;
  for (std::size_t i = 0; i < modules.size(); i += 3) {
    const bool last = i + 2 == modules.size();
    if (!is<Conv2d>(*modules[i]) || !is<BatchNorm2d>(*modules[i + 1]) ||
        (!last && !is<ReLU6>(*modules[i + 2]))) {
      return {};
    }
    layers.push_back({static_cast<Conv2d&>(*modules[i]).arguments(),
                      static_cast<BatchNorm2d&>(*modules[i + 1]).state()});
  }
  return layers;
}

std::unique_ptr<Conv2d> kaiming_conv(const SquareConvOptions& square) {
  Conv2dOptions options;
  options.in_channels = square.in_channels;
  options.out_channels = square.out_channels;
  options.kernel_h = options.kernel_w = square.kernel;
  options.window.stride_h = options.window.stride_w = square.stride;
  options.padding = square.padding;
  if (square.padding == ops::Padding::Window) {
    options.window.pad_h = options.window.pad_w = square.kernel / 2;
  }
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
