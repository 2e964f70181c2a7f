// Matrix products by their plain definition, in double precision.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "hanok/kernels/backend.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::test {

/// What an epilogue does, as bits of one number, so that a loop reaches every combination.
enum EpilogueBits { kScale = 1, kShift = 2, kResidual = 4, kRelu = 8 };
inline constexpr int kEveryEpilogue = 16;

/// The operands of one product, with rows `extra` elements longer than needed.
struct GemmOperands {
  GemmShape shape;
  std::vector<float> a, b, c, scale, shift, residual;

  GemmOperands(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_a, bool transpose_b,
               std::int64_t batch = 1, std::int64_t extra = 0, bool accumulate = false) {
    shape.m = m;
    shape.n = n;
    shape.k = k;
    shape.transpose_a = transpose_a;
    shape.transpose_b = transpose_b;
    shape.lda = (transpose_a ? m : k) + extra;
    shape.ldb = (transpose_b ? k : n) + extra;
    shape.ldc = n + extra;
    shape.accumulate = accumulate;
    shape.batch = batch;
    shape.stride_a = (transpose_a ? k : m) * shape.lda;
    shape.stride_b = (transpose_b ? n : k) * shape.ldb;
    shape.stride_c = m * shape.ldc;
    a = test_data(batch * shape.stride_a, 1);
    b = test_data(batch * shape.stride_b, 2);
    c = test_data(batch * shape.stride_c, 3);
    scale = test_data(n, 4, 1, 0.5F);
    shift = test_data(n, 5);
    residual = test_data(batch * shape.stride_c, 6);
  }

  /// All of C afterwards: elements between the rows keep their values.
  std::vector<double> reference(int epilogue = 0) const {
    const GemmShape& s = shape;
    std::vector<double> out(c.begin(), c.end());
    for (std::int64_t g = 0; g < s.batch; ++g) {
      for (std::int64_t i = 0; i < s.m; ++i) {
        for (std::int64_t j = 0; j < s.n; ++j) {
          const auto at = static_cast<std::size_t>(g * s.stride_c + i * s.ldc + j);
          const auto column = static_cast<std::size_t>(j);
          double sum = s.accumulate ? out[at] : 0.0;
          for (std::int64_t p = 0; p < s.k; ++p) {
            const std::int64_t ia = s.transpose_a ? p * s.lda + i : i * s.lda + p;
            const std::int64_t ib = s.transpose_b ? j * s.ldb + p : p * s.ldb + j;
            sum += static_cast<double>(a[static_cast<std::size_t>(g * s.stride_a + ia)]) *
                   b[static_cast<std::size_t>(g * s.stride_b + ib)];
          }
          if (epilogue & kScale) sum *= scale[column];
          if (epilogue & kShift) sum += shift[column];
          if (epilogue & kResidual) sum += residual[at];
          if (epilogue & kRelu) sum = std::max(sum, 0.0);
          out[at] = sum;
        }
      }
    }
    return out;
  }

  std::string name(int epilogue = 0) const {
    return "m " + std::to_string(shape.m) + " n " + std::to_string(shape.n) + " k " +
           std::to_string(shape.k) + " ta " + std::to_string(shape.transpose_a) + " tb " +
           std::to_string(shape.transpose_b) + " batch " + std::to_string(shape.batch) +
           " epilogue " + std::to_string(epilogue);
  }
};

/// The epilogue of these bits, with the operands' views.
inline Epilogue epilogue_of(int bits, ConstView scale, ConstView shift, ConstView residual) {
  Epilogue e;
  if (bits & kScale) e.scale = scale;
  if (bits & kShift) e.shift = shift;
  if (bits & kResidual) e.residual = residual;
  if (bits & kRelu) e.activation = Activation::Relu;
  return e;
}

}  // namespace hanok::test
