#include "hanok/nn/norms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/positive.h"

namespace hanok::nn {
namespace {

const char* python_bool(bool value) { return value ? "True" : "False"; }

std::string affine_repr(const Parameter& weight, const Parameter& bias) {
  return fmt::format("affine={}, bias={}", python_bool(weight.defined()),
                     python_bool(bias.defined()));
}

// The sizes as a shape, checked.
Shape normalized_shape(const std::vector<std::int64_t>& sizes) {
  if (sizes.empty()) throw ValueError("LayerNorm: no dimension to normalise");
  Shape shape;
  for (const std::int64_t size : sizes) shape.push_back(positive("LayerNorm", "size", size));
  return shape;
}

}  // namespace

// ---- LayerNorm ----

LayerNorm::LayerNorm(std::vector<std::int64_t> sizes, double epsilon, bool affine, bool with_bias)
    : normalized(std::move(sizes)),
      epsilon(epsilon),
      weight(this, "weight", affine ? Tensor::ones(normalized_shape(normalized)) : Tensor()),
      bias(this, "bias",
           affine && with_bias ? Tensor::zeros(normalized_shape(normalized)) : Tensor()) {
  normalized_shape(normalized);
}

Tensor LayerNorm::forward(const Tensor& x) {
  const int dims = static_cast<int>(normalized.size());
  for (int i = 0; i < dims; ++i) {
    // Without a weight the op does not know the sizes.
    if (x.rank() < dims || x.size(i - dims) != normalized[static_cast<std::size_t>(i)]) {
      throw ShapeError(fmt::format("LayerNorm: input {} does not end with [{}]",
                                   x.shape().to_string(), fmt::join(normalized, ",")));
    }
  }
  return ops::layer_norm(x, dims, weight, bias, epsilon);
}

std::unique_ptr<Module> LayerNorm::clone() const {
  return clone_as<LayerNorm>(normalized, epsilon, weight.defined(), bias.defined());
}

std::string LayerNorm::extra_repr() const {
  return fmt::format("({}{}), eps={}, elementwise_{}", fmt::join(normalized, ", "),
                     normalized.size() == 1 ? "," : "", epsilon, affine_repr(weight, bias));
}

// ---- LayerNorm2d ----

LayerNorm2d::LayerNorm2d(std::int64_t channels, double epsilon)
    : channels(positive("LayerNorm2d", "channels", channels)),
      epsilon(epsilon),
      weight(this, "weight", Tensor::ones({channels})),
      bias(this, "bias", Tensor::zeros({channels})) {}

Tensor LayerNorm2d::forward(const Tensor& x) {
  return ops::layer_norm_channels(x, weight, bias, epsilon);
}

std::unique_ptr<Module> LayerNorm2d::clone() const {
  return clone_as<LayerNorm2d>(channels, epsilon);
}

std::string LayerNorm2d::extra_repr() const {
  return fmt::format("({},), eps={}, elementwise_{}", channels, epsilon, affine_repr(weight, bias));
}

// ---- GroupNorm ----

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, double epsilon, bool affine)
    : groups(positive("GroupNorm", "groups", groups)),
      channels(positive("GroupNorm", "channels", channels)),
      epsilon(epsilon),
      weight(this, "weight", affine ? Tensor::ones({channels}) : Tensor()),
      bias(this, "bias", affine ? Tensor::zeros({channels}) : Tensor()) {
  if (channels % groups != 0) {
    throw ValueError(
        fmt::format("GroupNorm: {} channels do not divide into {} groups", channels, groups));
  }
}

Tensor GroupNorm::forward(const Tensor& x) {
  if (x.rank() < 2 || x.size(1) != channels) {
    throw ShapeError(fmt::format("GroupNorm: input {} does not have the expected {} channels",
                                 x.shape().to_string(), channels));
  }
  return ops::group_norm(x, groups, weight, bias, epsilon);
}

std::unique_ptr<Module> GroupNorm::clone() const {
  return clone_as<GroupNorm>(groups, channels, epsilon, weight.defined());
}

std::string GroupNorm::extra_repr() const {
  return fmt::format("{}, {}, eps={}, {}", groups, channels, epsilon, affine_repr(weight, bias));
}

}  // namespace hanok::nn
