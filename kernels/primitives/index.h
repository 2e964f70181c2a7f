// Choices by condition and by index.
#pragma once

#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// out = a where condition (u8) is not 0, else b, over out's dense sizes in memory order; the
/// others have stride 0 where they broadcast.
struct Select {
  static constexpr const char* kName = "select";
  StridedConstView condition, a, b;
  View out;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.condition, Elements::U8);
    visit.reads(op.a);
    visit.reads(op.b);
    visit.writes(op.out);
  }
  double flop() const { return count_of(out); }
  std::string shape_text() const { return out.shape.to_string(); }
};

/// Picks along one dimension: x is seen as [outer, length, inner], the result as [outer, count,
/// inner]. Indices are i64 in [0, length): [count] if they are shared by all lanes, else of the
/// result's shape.
struct GatherShape {
  std::int64_t outer = 1, length = 0, count = 0, inner = 1;
  bool shared = false;
};

/// y[o,j,i] = x[o, index, i]; any type.
struct Gather {
  static constexpr const char* kName = "gather";
  GatherShape shape;
  ConstView x;
  ConstView indices;
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x, Elements::Alike);
    visit.reads(op.indices, Elements::I64);
    visit.writes(op.y, Elements::Alike);
  }
  double flop() const { return 0; }
  /// Of x, only the picked elements are read.
  double bytes(const Backend& /*backend*/) const { return bytes_of(indices) + 2 * bytes_of(y); }
  std::string shape_text() const { return y.shape.to_string(); }
};

/// dx = 0, then dx[o, index, i] += dy[o,j,i] in order of j; f32.
struct GatherBackward {
  static constexpr const char* kName = "gather_backward";
  GatherShape shape;
  ConstView dy;
  ConstView indices;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.dy, Elements::F32);
    visit.reads(op.indices, Elements::I64);
    visit.writes(op.dx, Elements::F32);
  }
  double flop() const { return count_of(dy); }
  std::string shape_text() const { return dx.shape.to_string(); }
};

/// The k largest of each lane of x, largest first, equal ones by index: values and indices
/// [outer, k, inner]. NaN counts as largest.
struct TopK {
  static constexpr const char* kName = "topk";
  ConstView x;
  Lanes lanes;
  std::int64_t k = 0;
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

namespace cpu {
void run(const Call& call, const Select& op);
void run(const Call& call, const Gather& op);
void run(const Call& call, const GatherBackward& op);
void run(const Call& call, const TopK& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const Select& op);
void run(ExecContext& ctx, const Gather& op);
void run(ExecContext& ctx, const GatherBackward& op);
void run(ExecContext& ctx, const TopK& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
