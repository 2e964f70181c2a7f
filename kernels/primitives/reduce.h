// Reductions, accumulated in double or pairwise in a fixed order.
#pragma once

#include <vector>

#include "hanok/kernels/op_kind.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Reduces the dimensions of `x` (dense, sizes in memory order) whose bit is set in `dims`; out
/// holds the others, dense.
struct Reduce {
  static constexpr const char* kName = "reduce";
  ReduceOp kind{};
  StridedConstView x;
  std::uint32_t dims = 0;
  View out;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.out, Elements::DataOrF32);
  }
  double flop() const { return static_cast<double>(x.sizes.numel()); }
  std::string shape_text() const { return x.sizes.to_string(); }
};

/// Maximum of x along its lanes (the first one on ties) and its index: [outer, inner].
struct MaxAlong {
  static constexpr const char* kName = "max_along";
  ConstView x;
  Lanes lanes;
  View values;
  View indices;  // i64

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.values);
    visit.writes(op.indices, Elements::I64);
  }
  double flop() const { return count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

/// dx [outer, length, inner] = 0, then dx[o, indices[o,i], i] = dy[o,i].
struct ScatterAlong {
  static constexpr const char* kName = "scatter_along";
  ConstView dy;
  ConstView indices;  // i64
  Lanes lanes;        // of dx
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.dy);
    visit.reads(op.indices, Elements::I64);
    visit.writes(op.dx);
  }
  double flop() const { return 0; }
  std::string shape_text() const { return dx.shape.to_string(); }
};

/// Square root of the sum of squares over all views, accumulated in double.
struct L2Norm {
  static constexpr const char* kName = "l2_norm";
  std::vector<ConstView> xs;  // f32
  View out;                   // f32 [1]

  static void operands(auto& op, const auto& visit) {
    for (auto& x : op.xs) visit.reads(x, Elements::F32);
    visit.writes(op.out, Elements::F32);
  }
  double flop() const {
    double count = 0;
    for (const ConstView& x : xs) count += count_of(x);
    return 2 * count;
  }
  std::string shape_text() const { return std::to_string(xs.size()) + " tensors"; }
};

namespace cpu {
void run(const Call& call, const Reduce& op);
void run(const Call& call, const MaxAlong& op);
void run(const Call& call, const ScatterAlong& op);
void run(const Call& call, const L2Norm& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const Reduce& op);
void run(ExecContext& ctx, const MaxAlong& op);
void run(ExecContext& ctx, const ScatterAlong& op);
void run(ExecContext& ctx, const L2Norm& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
