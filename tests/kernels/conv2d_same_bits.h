// What must not change a bit of a convolution: the number of threads, whether its weights come
// packed, and the images beside one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <gtest/gtest.h>
#include <vector>

#include "hanok/kernels/cpu/call.h"
#include "tests/kernels/conv2d_reference.h"

namespace hanok::test {

/// Of all passes and of the moments that the forward one leaves for batch norm.
inline void expect_same_bits_for_any_thread_count(const std::vector<Conv2dShape>& shapes) {
  for (const Conv2dShape& s : shapes) {
    const Operands o(s);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      std::vector<float> mean_var(static_cast<std::size_t>(2 * s.k));
      Epilogue e;
      e.bn_mean_var = view_of(mean_var, {2, s.k});
      const auto y = forward(s, o, isa, e, 1);
      const auto moments = mean_var;
      const auto dx = backward_data(s, o, isa, 1);
      const auto dw = backward_weights(s, o, isa, 1);
      for (const int threads : {2, 3}) {
        EXPECT_EQ(forward(s, o, isa, e, threads), y) << name(s);
        EXPECT_EQ(mean_var, moments) << name(s);
        EXPECT_EQ(backward_data(s, o, isa, threads), dx) << name(s);
        EXPECT_EQ(backward_weights(s, o, isa, threads), dw) << name(s);
      }
    }
  }
}

/// Of the last image of a batch, in both passes that have a result for each.
inline void expect_same_bits_for_a_single_image(const Conv2dShape& batch) {
  Conv2dShape single = batch;
  single.n = 1;
  const Operands all(batch);
  Operands one(single);
  one.w = all.w;
  const auto last = [](const std::vector<float>& images, std::vector<float>& image) {
    std::copy(images.end() - static_cast<std::ptrdiff_t>(image.size()), images.end(),
              image.begin());
  };
  last(all.x, one.x);
  last(all.dy, one.dy);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    std::vector<float> want(one.dy.size());
    last(forward(batch, all, isa), want);
    EXPECT_EQ(forward(single, one, isa), want) << name(batch);
    want.resize(one.x.size());
    last(backward_data(batch, all, isa), want);
    EXPECT_EQ(backward_data(single, one, isa), want) << name(batch);
  }
}

/// Of both passes that take them packed, where their algorithm has such a form.
inline void expect_same_bits_for_packed_weights(const std::vector<Conv2dShape>& shapes) {
  for (const Conv2dShape& s : shapes) {
    const Operands o(s);
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      KernelContext context;
      for (const Conv2dPass pass : {Conv2dPass::Forward, Conv2dPass::BackwardData}) {
        const std::size_t bytes = cpu::conv2d_packed_bytes(isa, pass, s);
        if (bytes == 0) continue;  // there is no packed form
        std::vector<float> packed(bytes / sizeof(float) + 1, -7.0F);
        cpu::run({context, isa}, Conv2dPack{.pass = pass,
                                            .shape = s,
                                            .w = view_of(o.w, s.weight_shape()),
                                            .packed = packed.data()});
        EXPECT_EQ(packed.back(), -7.0F) << "wrote past conv2d_packed_bytes, " << name(s);
        if (pass == Conv2dPass::Forward) {
          std::vector<float> y(o.dy.size());
          cpu::run({context, isa}, Conv2dForward{.shape = s,
                                                 .x = view_of(o.x, s.input_shape()),
                                                 .w = {},
                                                 .packed = packed.data(),
                                                 .y = view_of(y, s.output_shape())});
          EXPECT_EQ(y, forward(s, o, isa)) << name(s);
        } else {
          std::vector<float> dx(o.x.size());
          cpu::run({context, isa}, Conv2dBackwardData{.shape = s,
                                                      .dy = view_of(o.dy, s.output_shape()),
                                                      .w = {},
                                                      .packed = packed.data(),
                                                      .dx = view_of(dx, s.input_shape())});
          EXPECT_EQ(dx, backward_data(s, o, isa)) << name(s);
        }
      }
    }
  }
}

}  // namespace hanok::test
