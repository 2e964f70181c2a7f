#include "hanok/nn/layers.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/convolution_repr.h"
#include "hanok/nn/init.h"
#include "hanok/nn/positive.h"

namespace hanok::nn {
namespace {

Conv2dOptions checked(const Conv2dOptions& given) {
  Conv2dOptions o = given;
  complete_kernel(o.kernel_h, o.kernel_w);
  positive("Conv2d", "in_channels", o.in_channels);
  positive("Conv2d", "out_channels", o.out_channels);
  positive("Conv2d", "kernel_h", o.kernel_h);
  positive("Conv2d", "kernel_w", o.kernel_w);
  positive("Conv2d", "stride_h", o.window.stride_h);
  positive("Conv2d", "stride_w", o.window.stride_w);
  positive("Conv2d", "dilation_h", o.window.dilation_h);
  positive("Conv2d", "dilation_w", o.window.dilation_w);
  positive("Conv2d", "groups", o.groups);
  if (o.in_channels % o.groups != 0 || o.out_channels % o.groups != 0) {
    throw ValueError(
        fmt::format("Conv2d: {} input and {} output channels do not divide into {} groups",
                    o.in_channels, o.out_channels, o.groups));
  }
  if (o.padding == ops::Padding::Same && (o.window.pad_h != 0 || o.window.pad_w != 0)) {
    throw ValueError(fmt::format(
        "Conv2d: padding {}x{} beside Padding::Same, which follows from the input's size",
        o.window.pad_h, o.window.pad_w));
  }
  return o;
}

Window2d square_window(std::int64_t stride, std::int64_t padding) {
  return {stride, stride, padding, padding, 1, 1};
}

}  // namespace

// ---- Linear ----

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias)
    : in_features(positive("Linear", "in_features", in_features)),
      out_features(positive("Linear", "out_features", out_features)),
      weight(this, "weight", Tensor::empty({out_features, in_features})),
      bias(this, "bias", with_bias ? Tensor::empty({out_features}) : Tensor()) {
  init::uniform_by_fan_in(weight.data(), bias.data());
}

Tensor Linear::forward(const Tensor& x) {
  // The op requires rank 2 and checks the sizes.
  if (x.rank() <= 2 || x.size(-1) != in_features) return ops::linear(x, weight, bias);
  std::vector<std::int64_t> sizes(x.shape().begin(), x.shape().end());
  sizes.back() = out_features;
  return ops::reshape(ops::linear(ops::reshape(x, {-1, in_features}), weight, bias), sizes);
}

std::unique_ptr<Module> Linear::clone() const {
  return clone_as<Linear>(in_features, out_features, bias.defined());
}

std::string Linear::extra_repr() const {
  return fmt::format("in_features={}, out_features={}, bias={}", in_features, out_features,
                     bias.defined() ? "True" : "False");
}

// ---- Conv2d ----

Conv2d::Conv2d(const Conv2dOptions& given)
    : options(checked(given)),
      weight(this, "weight",
             Tensor::empty({options.out_channels, options.in_channels / options.groups,
                            options.kernel_h, options.kernel_w})),
      bias(this, "bias", options.bias ? Tensor::empty({options.out_channels}) : Tensor()) {
  init::uniform_by_fan_in(weight.data(), bias.data());
}

ops::Conv2dArguments Conv2d::arguments() const {
  return {weight, bias, options.window, options.groups, options.padding};
}

Tensor Conv2d::forward(const Tensor& x) { return ops::conv2d(x, arguments()); }

std::unique_ptr<Module> Conv2d::clone() const { return clone_as<Conv2d>(options); }

std::string Conv2d::extra_repr() const {
  std::string text = convolution_repr(options.in_channels, options.out_channels,
                                      {options.kernel_h, options.kernel_w}, options.window);
  if (options.padding == ops::Padding::Same) text += ", padding=same";
  if (options.groups != 1) text += fmt::format(", groups={}", options.groups);
  if (!bias.defined()) text += ", bias=False";
  return text;
}

// ---- BatchNorm ----

BatchNorm::BatchNorm(std::int64_t features, double epsilon, double momentum)
    : features(positive("BatchNorm", "features", features)),
      epsilon(epsilon),
      momentum(momentum),
      weight(this, "weight", Tensor::ones({features})),
      bias(this, "bias", Tensor::zeros({features})),
      running_mean(this, "running_mean", Tensor::zeros({features})),
      running_var(this, "running_var", Tensor::ones({features})),
      num_batches_tracked(this, "num_batches_tracked", Tensor::zeros({}, {DType::I64})) {}

ops::BatchNormState BatchNorm::state() const {
  ops::BatchNormState state;
  state.weight = weight;
  state.bias = bias;
  state.running_mean = running_mean;
  state.running_var = running_var;
  state.num_batches_tracked = num_batches_tracked;
  state.training = is_training() && !is_frozen();
  state.momentum = momentum;
  state.epsilon = epsilon;
  return state;
}

Tensor BatchNorm::forward(const Tensor& x) { return ops::batch_norm(x, state()); }

std::string BatchNorm::extra_repr() const {
  return fmt::format("{}, eps={}, momentum={}, affine=True, track_running_stats=True", features,
                     epsilon, momentum);
}

std::unique_ptr<Module> BatchNorm2d::clone() const {
  return clone_as<BatchNorm2d>(features, epsilon, momentum);
}
std::unique_ptr<Module> BatchNorm1d::clone() const {
  return clone_as<BatchNorm1d>(features, epsilon, momentum);
}

Tensor conv_bn_act(const Tensor& x, Conv2d& conv, BatchNorm2d& bn, const Tensor& residual,
                   Activation activation) {
  if (conv.has_forward_hooks() || bn.has_forward_hooks()) {
    Tensor y = bn(conv(x));
    if (residual.defined()) y = ops::add(y, residual);
    if (activation == Activation::Relu6) return ops::clamp(y, 0, 6);
    return activation == Activation::Relu ? ops::relu(y) : y;
  }
  const LayerScope layer(&conv);  // the profile counts the fused op under the convolution
  return ops::conv_bn_act(x, conv.arguments(), bn.state(), residual, activation);
}

// ---- layers without parameters ----

MaxPool2d::MaxPool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                     PoolSize rounding)
    : kernel(positive("MaxPool2d", "kernel", kernel)),
      stride(positive("MaxPool2d", "stride", stride)),
      padding(padding),
      rounding(rounding) {}
Tensor MaxPool2d::forward(const Tensor& x) {
  return ops::max_pool2d(x, kernel, kernel, square_window(stride, padding), rounding);
}
Tensor conv_bn_relu_max_pool(const Tensor& x, Conv2d& conv, BatchNorm2d& bn, MaxPool2d& pool) {
  if (conv.has_forward_hooks() || bn.has_forward_hooks() || pool.has_forward_hooks() ||
      pool.rounding == PoolSize::Ceil) {
    return pool(conv_bn_act(x, conv, bn));
  }
  const LayerScope layer(&conv);
  return ops::conv_bn_relu_max_pool2d(x, conv.arguments(), bn.state(), pool.kernel, pool.kernel,
                                      square_window(pool.stride, pool.padding));
}
std::unique_ptr<Module> MaxPool2d::clone() const {
  return clone_as<MaxPool2d>(kernel, stride, padding, rounding);
}
std::string MaxPool2d::extra_repr() const {
  return fmt::format("kernel_size={}, stride={}, padding={}, dilation=1, ceil_mode={}", kernel,
                     stride, padding, rounding == PoolSize::Ceil ? "True" : "False");
}

AvgPool2d::AvgPool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                     PoolSize rounding)
    : kernel(positive("AvgPool2d", "kernel", kernel)),
      stride(positive("AvgPool2d", "stride", stride)),
      padding(padding),
      rounding(rounding) {}
Tensor AvgPool2d::forward(const Tensor& x) {
  return ops::avg_pool2d(x, kernel, kernel, square_window(stride, padding),
                         /*count_include_pad=*/true, rounding);
}
std::unique_ptr<Module> AvgPool2d::clone() const {
  return clone_as<AvgPool2d>(kernel, stride, padding, rounding);
}
std::string AvgPool2d::extra_repr() const {
  return fmt::format("kernel_size={}, stride={}, padding={}", kernel, stride, padding);
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(std::int64_t out_h, std::int64_t out_w)
    : out_h(positive("AdaptiveAvgPool2d", "out_h", out_h)),
      out_w(positive("AdaptiveAvgPool2d", "out_w", out_w)) {}
Tensor AdaptiveAvgPool2d::forward(const Tensor& x) {
  return ops::adaptive_avg_pool2d(x, out_h, out_w);
}
std::unique_ptr<Module> AdaptiveAvgPool2d::clone() const {
  return clone_as<AdaptiveAvgPool2d>(out_h, out_w);
}
std::string AdaptiveAvgPool2d::extra_repr() const {
  return fmt::format("output_size=({}, {})", out_h, out_w);
}

Dropout::Dropout(float p) : p(p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(fmt::format("Dropout: p must be in [0,1], got {}", p));
}
Tensor Dropout::forward(const Tensor& x) { return ops::dropout(x, p, is_training()); }
std::unique_ptr<Module> Dropout::clone() const { return clone_as<Dropout>(p); }
std::string Dropout::extra_repr() const { return fmt::format("p={}, inplace=False", p); }

Flatten::Flatten(int start_dim, int end_dim) : start_dim(start_dim), end_dim(end_dim) {}
Tensor Flatten::forward(const Tensor& x) { return ops::flatten(x, start_dim, end_dim); }
std::unique_ptr<Module> Flatten::clone() const { return clone_as<Flatten>(start_dim, end_dim); }
std::string Flatten::extra_repr() const {
  return fmt::format("start_dim={}, end_dim={}", start_dim, end_dim);
}

std::unique_ptr<Module> Identity::clone() const { return clone_as<Identity>(); }

std::unique_ptr<Module> Permute::clone() const { return clone_as<Permute>(order); }

// A mask [N,1,...] of zeros and 1/(1-p) is the dropout of ones.
StochasticDepth::StochasticDepth(float p) : p(p) {
  if (!(p >= 0 && p <= 1)) {
    throw ValueError(fmt::format("StochasticDepth: p must be in [0,1], got {}", p));
  }
}
Tensor StochasticDepth::forward(const Tensor& x) {
  if (!is_training() || p == 0) return x;
  if (x.rank() == 0) throw ShapeError("StochasticDepth: expected an input [N,...], got []");
  Shape samples = x.shape();
  for (int d = 1; d < samples.rank(); ++d) samples[d] = 1;
  return ops::mul(
      x, ops::dropout(Tensor::ones(samples, {x.dtype(), x.device()}), p, /*training=*/true));
}
std::unique_ptr<Module> StochasticDepth::clone() const { return clone_as<StochasticDepth>(p); }
std::string StochasticDepth::extra_repr() const { return fmt::format("p={}, mode=row", p); }

// ---- Embedding ----

Embedding::Embedding(std::int64_t rows, std::int64_t dimension, std::int64_t padding_index)
    : rows(positive("Embedding", "rows", rows)),
      dimension(positive("Embedding", "dimension", dimension)),
      padding_index(padding_index),
      weight(this, "weight", Tensor::empty({rows, dimension})) {
  if (padding_index < -1 || padding_index >= rows) {
    throw ValueError(fmt::format("Embedding: padding index {} is outside the {} rows (-1: none)",
                                 padding_index, rows));
  }
  init::normal(weight.data(), 0, 1);
  if (padding_index >= 0) {
    std::fill_n(weight.data().mutable_data<float>() + padding_index * dimension, dimension, 0.0F);
  }
}
Tensor Embedding::forward(const Tensor& indices) {
  return ops::embedding(indices, weight, padding_index);
}
std::unique_ptr<Module> Embedding::clone() const {
  return clone_as<Embedding>(rows, dimension, padding_index);
}
std::string Embedding::extra_repr() const {
  return fmt::format("{}, {}{}", rows, dimension,
                     padding_index < 0 ? "" : fmt::format(", padding_idx={}", padding_index));
}

// ---- Upsample ----

Upsample::Upsample(const UpsampleOptions& given) : options(given) {
  const bool by_size = options.out_h > 0 && options.out_w > 0 && options.scale_factor == 0;
  const bool by_factor = options.out_h == 0 && options.out_w == 0 && options.scale_factor > 0;
  if (!by_size && !by_factor) {
    throw ValueError(fmt::format(
        "Upsample: expected either a positive size or a positive scale factor, got size {}x{} and "
        "factor {}",
        options.out_h, options.out_w, options.scale_factor));
  }
  if (options.align_corners && options.mode == UpsampleOptions::Mode::Nearest) {
    throw ValueError("Upsample: only bilinear mode can align corners");
  }
}

Tensor Upsample::forward(const Tensor& x) {
  std::int64_t out_h = options.out_h, out_w = options.out_w;
  if (options.scale_factor != 0 && x.rank() == 4) {
    const auto scaled = [this](std::int64_t size) {
      return static_cast<std::int64_t>(
          std::floor(static_cast<double>(size) * options.scale_factor));
    };
    out_h = scaled(x.size(2));
    out_w = scaled(x.size(3));
  }
  if (options.mode == UpsampleOptions::Mode::Nearest) {
    return ops::upsample_nearest2d(x, out_h, out_w, options.scale_factor);
  }
  return ops::upsample_bilinear2d(x, out_h, out_w, options.align_corners, options.scale_factor);
}

std::unique_ptr<Module> Upsample::clone() const { return clone_as<Upsample>(options); }

std::string Upsample::extra_repr() const {
  const bool nearest = options.mode == UpsampleOptions::Mode::Nearest;
  const char* point = std::floor(options.scale_factor) == options.scale_factor ? ".0" : "";
  const std::string size = options.scale_factor != 0
                               ? fmt::format("scale_factor={}{}", options.scale_factor, point)
                               : fmt::format("size=({}, {})", options.out_h, options.out_w);
  return fmt::format("{}, mode='{}'", size, nearest ? "nearest" : "bilinear");
}

}  // namespace hanok::nn
