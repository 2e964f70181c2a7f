// Fills, copies and conversions.
#pragma once

#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

struct Fill {
  static constexpr const char* kName = "fill";
  View out;  // any type
  double value = 0;

  static void operands(auto& op, const auto& visit) { visit.writes(op.out, Elements::Any); }
  double flop() const { return 0; }
  std::string shape_text() const { return out.shape.to_string(); }
};

/// dst = src element by element; equal sizes, any strides, equal types.
struct StridedCopy {
  static constexpr const char* kName = "strided_copy";
  StridedView dst;
  StridedConstView src;

  static void operands(auto& op, const auto& visit) {
    visit.writes(op.dst, Elements::Alike);
    visit.reads(op.src, Elements::Alike);
  }
  double flop() const { return 0; }
  std::string shape_text() const { return dst.sizes.to_string(); }
};

/// Converts between types, same shape. To floats: rounds to nearest even. Floats to integers:
/// towards zero, as C++ does; NaN becomes 0, what is beyond the type's range its nearest end. i64
/// to u8: to the ends as well.
struct Cast {
  static constexpr const char* kName = "cast";
  View dst;
  ConstView src;

  static void operands(auto& op, const auto& visit) {
    visit.writes(op.dst, Elements::Any);
    visit.reads(op.src, Elements::Any);
  }
  double flop() const { return 0; }
  std::string shape_text() const { return dst.shape.to_string(); }
};

/// u8 [N,C,H,W] -> floats: (x/255 - mean[c]) / stddev[c].
struct NormalizeU8 {
  static constexpr const char* kName = "normalize_u8";
  ConstView x;
  ConstView mean, stddev;  // f32 [C]
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x, Elements::U8);
    visit.reads(op.mean, Elements::F32);
    visit.reads(op.stddev, Elements::F32);
    visit.writes(op.y);
  }
  double flop() const { return 3 * count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const Fill& op);
void run(const Call& call, const StridedCopy& op);
void run(const Call& call, const Cast& op);
void run(const Call& call, const NormalizeU8& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const Fill& op);
void run(ExecContext& ctx, const StridedCopy& op);
void run(ExecContext& ctx, const Cast& op);
void run(ExecContext& ctx, const NormalizeU8& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
