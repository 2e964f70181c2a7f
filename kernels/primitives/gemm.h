// Matrix products. On CUDA operands may be f16 or bf16, summed in f32.
#pragma once

#include "hanok/kernels/epilogue.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// C [m,n] = A [m,k] * B [k,n] (+ C if accumulate), then the epilogue with n as the channel.
/// Row-major. transpose_a: A is stored [k,m]; transpose_b: B is stored [n,k]. `batch` independent
/// products lie `stride_*` elements apart. lda/ldb/ldc: elements per stored row.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  std::int64_t lda = 0, ldb = 0, ldc = 0;
  bool accumulate = false;
  std::int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;
};

/// The product of a shape. The shape alone says where elements lie; the views' own are not read.
struct Gemm {
  static constexpr const char* kName = "gemm";
  GemmShape shape;
  ConstView a, b;
  Epilogue epilogue{};
  View c;  // a product of 16-bit operands may be written as f32

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.a);
    visit.reads(op.b);
    if (op.shape.accumulate) {
      visit.updates(op.c, Elements::DataOrF32);
    } else {
      visit.writes(op.c, Elements::DataOrF32);
    }
    Epilogue::operands(op.epilogue, visit);
  }
  double flop() const {
    return 2.0 * static_cast<double>(shape.m * shape.n) *
               static_cast<double>(shape.k * shape.batch) +
           epilogue.flop_per_output() * count_of(c);
  }
  std::string shape_text() const {
    const std::string k = std::to_string(shape.k);
    return "[" + std::to_string(shape.m) + "," + k + "] x [" + k + "," + std::to_string(shape.n) +
           "]";
  }
};

/// out[channel] = sum of x [rows, channels] over rows (the gradient of a bias).
struct SumRows {
  static constexpr const char* kName = "sum_rows";
  ConstView x;
  std::int64_t rows = 0, channels = 0;
  View out;  // f32

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.out, Elements::F32);
  }
  double flop() const { return count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

namespace cpu {
/// Throws ValueError for a leading dimension shorter than a stored row.
void run(const Call& call, const Gemm& op);
void run(const Call& call, const SumRows& op);
}  // namespace cpu

namespace cuda {
// Gemm: MatrixProduct (kernels/cuda/gemm/matrix_product.h), which may be cuBLAS.
void run(ExecContext& ctx, const SumRows& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
