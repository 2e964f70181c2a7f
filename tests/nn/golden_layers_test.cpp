// Single layers against PyTorch's of the same name (tests/golden/nn_layers.json): printed form,
// parameter names, outputs and gradients to an L2-relative error of 1e-5.
#include <functional>
#include <gtest/gtest.h>
#include <map>

#include "hanok/nn/activations.h"
#include "hanok/nn/convolutions.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/norms.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

using golden::Json;

constexpr double kTolerance = 1e-5;

Conv1dOptions conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel) {
  Conv1dOptions options;
  options.in_channels = in_channels;
  options.out_channels = out_channels;
  options.kernel = kernel;
  return options;
}

std::unique_ptr<Module> uneven_conv1d() {
  Conv1dOptions options = conv1d(6, 4, 4);
  options.window = {2, 2, 2};
  options.groups = 2;
  options.bias = false;
  return std::make_unique<Conv1d>(options);
}

ConvTranspose2dOptions transposed(std::int64_t out_channels, std::int64_t kernel_h,
                                  std::int64_t kernel_w) {
  ConvTranspose2dOptions options;
  options.in_channels = 4;
  options.out_channels = out_channels;
  options.kernel_h = kernel_h;
  options.kernel_w = kernel_w;
  return options;
}

std::unique_ptr<Module> uneven_transposed() {
  ConvTranspose2dOptions options = transposed(6, 2, 4);
  options.window = {3, 2, 1, 2, 1, 2};
  options.output_pad_h = 2;
  options.groups = 2;
  options.bias = false;
  return std::make_unique<ConvTranspose2d>(options);
}

std::unique_ptr<Module> upsample(double scale_factor, std::int64_t out_h, std::int64_t out_w,
                                 UpsampleOptions::Mode mode, bool align_corners = false) {
  UpsampleOptions options;
  options.scale_factor = scale_factor;
  options.out_h = out_h;
  options.out_w = out_w;
  options.mode = mode;
  options.align_corners = align_corners;
  return std::make_unique<Upsample>(options);
}

using Sizes = std::vector<std::int64_t>;
constexpr auto kNearest = UpsampleOptions::Mode::Nearest;
constexpr auto kBilinear = UpsampleOptions::Mode::Bilinear;

const std::map<std::string, std::function<std::unique_ptr<Module>()>>& layers() {
  static const std::map<std::string, std::function<std::unique_ptr<Module>()>> all = {
      {"linear_of_pixels", [] { return std::make_unique<Linear>(7, 4); }},
      {"layer_norm", [] { return std::make_unique<LayerNorm>(Sizes{10}); }},
      {"layer_norm_two",
       [] {
         return std::make_unique<LayerNorm>(Sizes{3, 10}, 1e-3);
       }},
      {"layer_norm_no_bias",
       [] {
         return std::make_unique<LayerNorm>(Sizes{10}, 1e-5, /*affine=*/true, /*bias=*/false);
       }},
      {"layer_norm_plain",
       [] { return std::make_unique<LayerNorm>(Sizes{10}, 1e-5, /*affine=*/false); }},
      {"layer_norm_pixels", [] { return std::make_unique<LayerNorm2d>(6); }},
      {"group_norm", [] { return std::make_unique<GroupNorm>(3, 6); }},
      {"group_norm_plain",
       [] { return std::make_unique<GroupNorm>(2, 6, 1e-3, /*affine=*/false); }},
      {"embedding", [] { return std::make_unique<Embedding>(5, 7); }},
      {"embedding_padding", [] { return std::make_unique<Embedding>(5, 7, 2); }},
      {"hardtanh", [] { return std::make_unique<Hardtanh>(); }},
      {"hardtanh_range", [] { return std::make_unique<Hardtanh>(-0.5F, 2.0F); }},
      {"conv1d", [] { return std::make_unique<Conv1d>(conv1d(4, 6, 3)); }},
      {"conv1d_uneven", uneven_conv1d},
      {"conv_transpose2d", [] { return std::make_unique<ConvTranspose2d>(transposed(3, 3, 3)); }},
      {"conv_transpose2d_uneven", uneven_transposed},
      {"upsample_nearest", [] { return upsample(3, 0, 0, kNearest); }},
      {"upsample_nearest_size", [] { return upsample(0, 7, 9, kNearest); }},
      {"upsample_bilinear", [] { return upsample(2, 0, 0, kBilinear); }},
      {"upsample_nearest_fraction", [] { return upsample(1.7, 0, 0, kNearest); }},
      {"upsample_nearest_smaller", [] { return upsample(0.6, 0, 0, kNearest); }},
      {"upsample_bilinear_fraction", [] { return upsample(1.7, 0, 0, kBilinear); }},
      {"upsample_bilinear_smaller", [] { return upsample(0.6, 0, 0, kBilinear); }},
      {"upsample_bilinear_corners", [] { return upsample(0, 7, 9, kBilinear, true); }},
  };
  return all;
}

void expect_golden(Module& layer, const std::string& name, const Json& json) {
  SCOPED_TRACE(name);
  const std::string prefix = "layers/" + name + "/";
  EXPECT_EQ(layer.to_string(), json.at("text"));
  for (const auto& [key, tensor] : layer.state_dict()) {
    Tensor target = tensor;
    target.copy_from(golden::parameter(key, prefix + key, tensor.shape()));
  }
  Tensor x;
  if (json.contains("indices")) {
    const Shape shape = golden::shape_of(json.at("indices"));
    x = Tensor::from_vector(golden::integers(prefix + "x", shape.numel(), 5), shape);
  } else {
    x = golden::tensor(prefix + "x", json.at("x"));
    x.set_requires_grad(true);
  }
  const Tensor y = layer(x);
  EXPECT_TRUE(golden::is_near(prefix + "y", y.detach(), json.at("y"), kTolerance));
  y.backward(golden::tensor(prefix + "dy", json.at("dy")));
  if (json.contains("dx")) {
    EXPECT_TRUE(golden::is_near(prefix + "dx", x.grad(), json.at("dx"), kTolerance));
  }
  const auto parameters = layer.named_parameters();
  EXPECT_EQ(parameters.size(), json.at("gradients").size());
  for (const auto& [key, parameter] : parameters) {
    EXPECT_TRUE(golden::is_near(prefix + key + "#gradient", parameter.grad(),
                                json.at("gradients").at(key), kTolerance));
  }
}

TEST(GoldenLayers, TextOutputsAndGradientsEqualPyTorch) {
  const Json content = golden::load("nn_layers.json");
  EXPECT_EQ(content.at("layers").size(), layers().size());
  for (const auto& [name, make] : layers()) {
    expect_golden(*make(), name, content.at("layers").at(name));
  }
}

TEST(GoldenLayers, ClonesEqualPyTorchToo) {
  const Json content = golden::load("nn_layers.json");
  for (const auto& [name, make] : layers()) {
    expect_golden(*make()->clone(), name, content.at("layers").at(name));
  }
}

}  // namespace
}  // namespace hanok::nn
