#include "hanok/nn/init.h"

#include <cmath>
#include <fmt/format.h>

#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/module.h"

namespace hanok::nn::init {
namespace {

struct Fans {
  std::int64_t in = 0, out = 0;
};

Fans fans(const Tensor& weight) {
  if (weight.rank() < 2) {
    throw ShapeError(fmt::format("init: fan needs a weight of rank 2 or more, got {}",
                                 weight.shape().to_string()));
  }
  std::int64_t taps = 1;
  for (int i = 2; i < weight.rank(); ++i) taps *= weight.size(i);
  return {weight.size(1) * taps, weight.size(0) * taps};
}

// 2 / ((1 + a^2) fan): preserves the variance of the activations (or gradients).
double kaiming_variance(const Tensor& weight, float a, Fan mode) {
  const double negative_slope = a;
  return 2.0 / ((1.0 + negative_slope * negative_slope) * static_cast<double>(fan(weight, mode)));
}

double xavier_variance(const Tensor& weight, float gain) {
  const Fans both = fans(weight);
  return static_cast<double>(gain) * gain * 2.0 / static_cast<double>(both.in + both.out);
}

}  // namespace

std::int64_t fan(const Tensor& weight, Fan mode) {
  return mode == Fan::In ? fans(weight).in : fans(weight).out;
}

void uniform(Tensor& tensor, float low, float high, Generator& generator) {
  if (WithoutInit::active()) return;
  run_on(tensor.device(), RandomUniform{.call = generator.next(RandomStream::Init, tensor.device()),
                                        .low = low,
                                        .high = high,
                                        .out = tensor.mutable_view()});
}

void normal(Tensor& tensor, float mean, float stddev, Generator& generator) {
  if (WithoutInit::active()) return;
  run_on(tensor.device(), RandomNormal{.call = generator.next(RandomStream::Init, tensor.device()),
                                       .mean = mean,
                                       .stddev = stddev,
                                       .out = tensor.mutable_view()});
}

void constant(Tensor& tensor, float value) {
  if (WithoutInit::active()) return;
  run_on(tensor.device(), Fill{tensor.mutable_view(), static_cast<double>(value)});
}

// A uniform distribution on [-b, b] has variance b^2 / 3.
void kaiming_uniform(Tensor& weight, float a, Fan mode, Generator& generator) {
  const auto bound = static_cast<float>(std::sqrt(3.0 * kaiming_variance(weight, a, mode)));
  uniform(weight, -bound, bound, generator);
}

void kaiming_normal(Tensor& weight, float a, Fan mode, Generator& generator) {
  normal(weight, 0, static_cast<float>(std::sqrt(kaiming_variance(weight, a, mode))), generator);
}

void xavier_uniform(Tensor& weight, float gain, Generator& generator) {
  const auto bound = static_cast<float>(std::sqrt(3.0 * xavier_variance(weight, gain)));
  uniform(weight, -bound, bound, generator);
}

void xavier_normal(Tensor& weight, float gain, Generator& generator) {
  normal(weight, 0, static_cast<float>(std::sqrt(xavier_variance(weight, gain))), generator);
}

void uniform_by_fan_in(Tensor& weight, Tensor& bias) {
  kaiming_uniform(weight, std::sqrt(5.0F));
  if (!bias.defined()) return;
  const float bound = 1.0F / std::sqrt(static_cast<float>(fan(weight, Fan::In)));
  uniform(bias, -bound, bound);
}

}  // namespace hanok::nn::init
