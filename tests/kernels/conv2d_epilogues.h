// Every combination of what a convolution's epilogue can do, against its definition in double
// precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <vector>

#include "tests/kernels/conv2d_reference.h"

namespace hanok::test {

/// One way to compute a convolution's forward pass.
struct ForwardPath {
  std::function<std::vector<float>(const Epilogue&)> run;
  bool takes_relu6 = true;
};

/// The CPU's instruction-set paths.
inline std::vector<ForwardPath> isa_paths(const Conv2dShape& s, const Operands& o) {
  std::vector<ForwardPath> paths;
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    paths.push_back({[&s, &o, isa](const Epilogue& e) { return forward(s, o, isa, e); }});
  }
  return paths;
}

/// The backends that this program tests.
inline std::vector<ForwardPath> backend_paths(const Conv2dShape& s, const Operands& o) {
  std::vector<ForwardPath> paths;
  for (const auto& backend : testable_backends()) {
    paths.push_back({[&s, &o, backend](const Epilogue& e) { return forward(s, o, *backend, e); },
                     backend->fuses_relu6()});
  }
  return paths;
}

/// With and without scale, shift and residual, with no activation, ReLU and ReLU6: the outputs'
/// largest error over their rms is at most `bound`, and batch norm's moments are the outputs'.
inline void expect_every_epilogue(const Conv2dShape& s, const Operands& o, double bound,
                                  const std::vector<ForwardPath>& paths) {
  const auto plain = forward_reference(s, o);
  const auto scale = test_data(s.k, 4, 1, 0.5F);
  const auto shift = test_data(s.k, 5, 1, 3);
  const auto residual = test_data(s.output_shape().numel(), 6, 0, 5);
  const auto channels = static_cast<std::size_t>(s.k);
  for (int bits = 0; bits < 24; ++bits) {
    SCOPED_TRACE(name(s) + " epilogue " + std::to_string(bits));
    Epilogue e;
    std::vector<float> mean_var(2 * channels, -1.0F);
    if (bits & 1) e.scale = view_of(scale, {s.k});
    if (bits & 2) e.shift = view_of(shift, {s.k});
    if (bits & 4) e.residual = view_of(residual, s.output_shape());
    if (bits & 8) e.activation = Activation::Relu;
    if (bits & 16) e.activation = Activation::Relu6;
    e.bn_mean_var = view_of(mean_var, {2, s.k});
    auto want = plain;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const std::size_t k = i % channels;
      if (bits & 1) want[i] *= scale[k];
      if (bits & 2) want[i] += shift[k];
      if (bits & 4) want[i] += residual[i];
      if (bits & 8) want[i] = std::max(want[i], 0.0);
      if (bits & 16) want[i] = std::clamp(want[i], 0.0, 6.0);
    }
    for (const ForwardPath& path : paths) {
      if (e.activation == Activation::Relu6 && !path.takes_relu6) continue;
      const auto y = path.run(e);
      EXPECT_LE(error_over_rms(y, want), bound);
      const auto moments = moments_reference(y, s.k);
      for (std::size_t k = 0; k < channels; ++k) {
        const double var = moments[k + channels];
        EXPECT_NEAR(mean_var[k], moments[k], 1e-6 * (std::fabs(moments[k]) + std::sqrt(var)));
        EXPECT_NEAR(mean_var[k + channels], var, 1e-5 * var);
      }
    }
  }
}

}  // namespace hanok::test
