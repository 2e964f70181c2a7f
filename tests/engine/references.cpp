#include "tests/engine/references.h"

#include <cmath>

namespace hanok::testing {

Array reference_conv2d(const Array& x, const Array& weight, const Array* bias,
                       const Window2d& window, std::int64_t groups) {
  const std::int64_t height = x.size(2);
  const std::int64_t width = x.size(3);
  const std::int64_t outputs = weight.size(0);
  const std::int64_t inputs = weight.size(1);  // of one group
  const std::int64_t out_h =
      (height + 2 * window.pad_h - window.dilation_h * (weight.size(2) - 1) - 1) / window.stride_h +
      1;
  const std::int64_t out_w =
      (width + 2 * window.pad_w - window.dilation_w * (weight.size(3) - 1) - 1) / window.stride_w +
      1;
  Array y({x.size(0), outputs, out_h, out_w});
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& i) {
    const std::int64_t n = i[0];
    const std::int64_t k = i[1];
    const std::int64_t first_channel = k / (outputs / groups) * inputs;
    double sum = bias == nullptr ? 0 : (*bias)({k});
    for (std::int64_t r = 0; r < weight.size(2); ++r) {
      for (std::int64_t s = 0; s < weight.size(3); ++s) {
        const std::int64_t h = i[2] * window.stride_h - window.pad_h + r * window.dilation_h;
        const std::int64_t w = i[3] * window.stride_w - window.pad_w + s * window.dilation_w;
        if (h < 0 || h >= height || w < 0 || w >= width) continue;
        for (std::int64_t c = 0; c < inputs; ++c) {
          sum += x({n, first_channel + c, h, w}) * weight({k, c, r, s});
        }
      }
    }
    y({n, k, i[2], i[3]}) = sum;
  });
  return y;
}

namespace {

/// Calls visit(channel, position in values) for each element of x [N,C,...].
void for_each_channel_element(const Array& x,
                              const std::function<void(std::size_t, std::size_t)>& visit) {
  const auto channels = static_cast<std::size_t>(x.size(1));
  const std::size_t pixels = x.values.size() / channels / static_cast<std::size_t>(x.size(0));
  for (std::size_t i = 0; i < x.values.size(); ++i) visit(i / pixels % channels, i);
}

}  // namespace

Moments reference_moments(const Array& x) {
  const auto channels = static_cast<std::size_t>(x.size(1));
  const double rows = static_cast<double>(x.values.size()) / static_cast<double>(channels);
  Moments moments{std::vector<double>(channels), std::vector<double>(channels)};
  for_each_channel_element(
      x, [&](std::size_t c, std::size_t i) { moments.mean[c] += x.values[i] / rows; });
  for_each_channel_element(x, [&](std::size_t c, std::size_t i) {
    const double difference = x.values[i] - moments.mean[c];
    moments.var[c] += difference * difference / rows;
  });
  return moments;
}

Array reference_normalise(const Array& x, const Moments& moments, double epsilon,
                          const Array* gamma, const Array* beta) {
  Array y = x;
  for_each_channel_element(x, [&](std::size_t c, std::size_t i) {
    const double xhat = (x.values[i] - moments.mean[c]) / std::sqrt(moments.var[c] + epsilon);
    y.values[i] =
        xhat * (gamma == nullptr ? 1 : gamma->values[c]) + (beta == nullptr ? 0 : beta->values[c]);
  });
  return y;
}

}  // namespace hanok::testing
