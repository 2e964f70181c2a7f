#include "hanok/nn/convolutions.h"

#include <fmt/format.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/convolution_repr.h"
#include "hanok/nn/init.h"
#include "hanok/nn/positive.h"

namespace hanok::nn {
namespace {

void check_groups(const char* layer, std::int64_t in_channels, std::int64_t out_channels,
                  std::int64_t groups) {
  positive(layer, "in_channels", in_channels);
  positive(layer, "out_channels", out_channels);
  positive(layer, "groups", groups);
  if (in_channels % groups != 0 || out_channels % groups != 0) {
    throw ValueError(fmt::format("{}: {} input and {} output channels do not divide into {} groups",
                                 layer, in_channels, out_channels, groups));
  }
}

const Conv1dOptions& checked(const Conv1dOptions& o) {
  check_groups("Conv1d", o.in_channels, o.out_channels, o.groups);
  positive("Conv1d", "kernel", o.kernel);
  positive("Conv1d", "stride", o.window.stride);
  positive("Conv1d", "dilation", o.window.dilation);
  return o;
}

ConvTranspose2dOptions checked(const ConvTranspose2dOptions& given) {
  ConvTranspose2dOptions o = given;
  complete_kernel(o.kernel_h, o.kernel_w);
  const char* layer = "ConvTranspose2d";
  check_groups(layer, o.in_channels, o.out_channels, o.groups);
  positive(layer, "kernel_h", o.kernel_h);
  positive(layer, "kernel_w", o.kernel_w);
  positive(layer, "stride_h", o.window.stride_h);
  positive(layer, "stride_w", o.window.stride_w);
  positive(layer, "dilation_h", o.window.dilation_h);
  positive(layer, "dilation_w", o.window.dilation_w);
  return o;
}

}  // namespace

// ---- Conv1d ----

Conv1d::Conv1d(const Conv1dOptions& given)
    : options(checked(given)),
      weight(this, "weight",
             Tensor::empty(
                 {options.out_channels, options.in_channels / options.groups, options.kernel})),
      bias(this, "bias", options.bias ? Tensor::empty({options.out_channels}) : Tensor()) {
  init::uniform_by_fan_in(weight.data(), bias.data());
}

Tensor Conv1d::forward(const Tensor& x) {
  return ops::conv1d(x, weight, bias, options.window, options.groups);
}

std::unique_ptr<Module> Conv1d::clone() const { return clone_as<Conv1d>(options); }

std::string Conv1d::extra_repr() const {
  const ops::Window1d& w = options.window;
  std::string text = fmt::format("{}, {}, kernel_size=({},), stride=({},)", options.in_channels,
                                 options.out_channels, options.kernel, w.stride);
  if (w.padding != 0) text += fmt::format(", padding=({},)", w.padding);
  if (w.dilation != 1) text += fmt::format(", dilation=({},)", w.dilation);
  if (options.groups != 1) text += fmt::format(", groups={}", options.groups);
  if (!bias.defined()) text += ", bias=False";
  return text;
}

// ---- ConvTranspose2d ----

ConvTranspose2d::ConvTranspose2d(const ConvTranspose2dOptions& given)
    : options(checked(given)),
      weight(this, "weight",
             Tensor::empty({options.in_channels, options.out_channels / options.groups,
                            options.kernel_h, options.kernel_w})),
      bias(this, "bias", options.bias ? Tensor::empty({options.out_channels}) : Tensor()) {
  init::uniform_by_fan_in(weight.data(), bias.data());
}

Tensor ConvTranspose2d::forward(const Tensor& x) {
  return ops::conv_transpose2d(x, weight, bias, options.window, options.groups,
                               options.output_pad_h, options.output_pad_w);
}

std::unique_ptr<Module> ConvTranspose2d::clone() const {
  return clone_as<ConvTranspose2d>(options);
}

std::string ConvTranspose2d::extra_repr() const {
  std::string text = convolution_repr(options.in_channels, options.out_channels,
                                      {options.kernel_h, options.kernel_w}, options.window);
  if (options.output_pad_h != 0 || options.output_pad_w != 0) {
    text += fmt::format(", output_padding=({}, {})", options.output_pad_h, options.output_pad_w);
  }
  if (options.groups != 1) text += fmt::format(", groups={}", options.groups);
  if (!bias.defined()) text += ", bias=False";
  return text;
}

}  // namespace hanok::nn
