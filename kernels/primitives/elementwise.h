// Functions of one and two variables, element by element.
#pragma once

#include "hanok/kernels/op_kind.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// What some kinds of UnaryOp need besides x; see op_kind.h.
struct UnaryParams {
  float alpha = 0;
  float beta = 0;
};

/// y = f(x). In place: y may be x.
struct Unary {
  static constexpr const char* kName = "unary";
  UnaryOp kind{};
  UnaryParams params{};
  ConstView x;
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.y);
  }
  double flop() const { return count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
  const char* variant(const Backend& /*backend*/) const { return name_of(kind); }
};

/// dx = dy * f'(x). derivative_needs(kind) says which of x and y is read; the other may be
/// undefined.
struct UnaryBackward {
  static constexpr const char* kName = "unary_backward";
  UnaryOp kind{};
  UnaryParams params{};
  ConstView x{}, y{};
  ConstView dy;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.reads(op.y);
    visit.reads(op.dy);
    visit.writes(op.dx);
  }
  double flop() const { return 2 * count_of(dy); }
  std::string shape_text() const { return dy.shape.to_string(); }
  const char* variant(const Backend& /*backend*/) const { return name_of(kind); }
};

/// out = a op b over out's dense sizes in memory order; a and b have out's sizes, with stride 0
/// where they broadcast.
struct Binary {
  static constexpr const char* kName = "binary";
  BinaryOp kind{};
  StridedConstView a, b;
  View out;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.a);
    visit.reads(op.b);
    visit.writes(op.out);
  }
  double flop() const { return count_of(out); }
  std::string shape_text() const { return out.shape.to_string(); }
  const char* variant(const Backend& /*backend*/) const { return name_of(kind); }
};

/// y = x where x > 0, else slopes[c] x, with the channels c last in x's memory: x lies there as
/// [rows, C].
struct Prelu {
  static constexpr const char* kName = "prelu";
  ConstView x;
  ConstView slopes;  // f32 [C]
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.reads(op.slopes, Elements::F32);
    visit.writes(op.y);
  }
  double flop() const { return count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

/// Its backward: dx = dy where x > 0, else slopes[c] dy; and what each element adds to the gradient
/// of its channel's slope, 0 where x > 0, else dy x.
struct PreluBackward {
  static constexpr const char* kName = "prelu_backward";
  ConstView x;
  ConstView slopes;  // f32 [C]
  ConstView dy;
  View dx{};           // undefined: not wanted
  View slope_terms{};  // f32, x's shape; undefined: not wanted

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.reads(op.slopes, Elements::F32);
    visit.reads(op.dy);
    visit.writes(op.dx);
    visit.writes(op.slope_terms, Elements::F32);
  }
  double flop() const { return count_of(dx) + count_of(slope_terms); }
  std::string shape_text() const { return dy.shape.to_string(); }
};

/// y += alpha * x, same shape.
struct AddScaled {
  static constexpr const char* kName = "add_scaled";
  float alpha = 1;
  ConstView x;
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.updates(op.y);
  }
  double flop() const { return 2 * count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const Unary& op);
void run(const Call& call, const UnaryBackward& op);
void run(const Call& call, const Binary& op);
void run(const Call& call, const Prelu& op);
void run(const Call& call, const PreluBackward& op);
void run(const Call& call, const AddScaled& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const Unary& op);
void run(ExecContext& ctx, const UnaryBackward& op);
void run(ExecContext& ctx, const Binary& op);
void run(ExecContext& ctx, const Prelu& op);
void run(ExecContext& ctx, const PreluBackward& op);
void run(ExecContext& ctx, const AddScaled& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
