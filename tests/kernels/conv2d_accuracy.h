// How near an algorithm's convolutions must come to double precision, asked of all in one way.
#pragma once

#include <cmath>
#include <gtest/gtest.h>
#include <initializer_list>
#include <utility>
#include <vector>

#include "hanok/kernels/cpu/conv2d/choose.h"
#include "tests/kernels/conv2d_reference.h"

namespace hanok::test {

inline std::vector<float> computed(Conv2dPass pass, const Conv2dShape& s, const Operands& o,
                                   cpu::Isa isa, int threads = 2) {
  switch (pass) {
    case Conv2dPass::Forward:
      return forward(s, o, isa, {}, threads);
    case Conv2dPass::BackwardData:
      return backward_data(s, o, isa, threads);
    case Conv2dPass::BackwardWeights:
      break;
  }
  return backward_weights(s, o, isa, threads);
}

inline std::vector<double> reference(Conv2dPass pass, const Conv2dShape& s, const Operands& o) {
  switch (pass) {
    case Conv2dPass::Forward:
      return forward_reference(s, o);
    case Conv2dPass::BackwardData:
      return backward_data_reference(s, o);
    case Conv2dPass::BackwardWeights:
      break;
  }
  return backward_weights_reference(s, o);
}

/// Root mean square of got - want over that of want.
inline double rms_error_over_rms(const std::vector<float>& got, const std::vector<double>& want) {
  double squares = 0;
  double errors = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    squares += want[i] * want[i];
    errors += (got[i] - want[i]) * (got[i] - want[i]);
  }
  return std::sqrt(errors / squares);
}

/// Of single elements and of all together, over the rms of the result.
struct ErrorBounds {
  double worst, typical;
};

/// `algorithm` is chosen for these shapes, keeps the bounds and gives the same bits on 1 and 3
/// threads.
inline void expect_accurate(Conv2dAlgorithm algorithm, Conv2dPass pass,
                            const std::vector<Conv2dShape>& shapes, const ErrorBounds& bounds) {
  for (const Conv2dShape& s : shapes) {
    ASSERT_EQ(choose_conv2d(pass, s), algorithm) << name(s);
    const Operands o(s);
    const std::vector<double> want = reference(pass, s, o);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const std::vector<float> got = computed(pass, s, o, isa, 1);
      EXPECT_LE(error_over_rms(got, want), bounds.worst) << name(s);
      EXPECT_LE(rms_error_over_rms(got, want), bounds.typical) << name(s);
      EXPECT_EQ(computed(pass, s, o, isa, 3), got) << name(s) << ": the thread count shows";
    }
  }
}

/// Errors grow with the inputs, not with what cancels: relative to the result's rms they stay.
inline void expect_accurate_on_large_values(const Conv2dShape& s,
                                            std::initializer_list<Conv2dPass> passes,
                                            double worst) {
  for (const auto& [mean, range] : {std::pair{10.0F, 1.0F}, {0.0F, 1e3F}}) {
    const Operands o(s, mean, range);
    for (const Conv2dPass pass : passes) {
      const std::vector<double> want = reference(pass, s, o);
      for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
        EXPECT_LE(error_over_rms(computed(pass, s, o, isa), want), worst) << name(s);
      }
    }
  }
}

}  // namespace hanok::test
