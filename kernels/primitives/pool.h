// Pooling of [N,C,H,W].
#pragma once

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// indices: u8 tap number r*S+s of the maximum within its window (windows of up to 255 taps), the
/// first one on ties; undefined: not wanted.
struct MaxPool2d {
  static constexpr const char* kName = "max_pool2d";
  Pool2dShape shape;
  ConstView x;
  View y;
  View indices{};

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.y);
    visit.writes(op.indices, Elements::U8);
  }
  double flop() const { return count_of(y) * static_cast<double>(shape.r * shape.s); }
  std::string shape_text() const { return x.shape.to_string(); }
};

struct MaxPool2dBackward {
  static constexpr const char* kName = "max_pool2d_backward";
  Pool2dShape shape;
  ConstView dy;
  ConstView indices;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.dy);
    visit.reads(op.indices, Elements::U8);
    visit.writes(op.dx);
  }
  double flop() const { return count_of(dy); }
  std::string shape_text() const { return dx.shape.to_string(); }
};

struct AvgPool2d {
  static constexpr const char* kName = "avg_pool2d";
  Pool2dShape shape;
  ConstView x;
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.y);
  }
  double flop() const { return count_of(y) * static_cast<double>(shape.r * shape.s); }
  std::string shape_text() const { return x.shape.to_string(); }
};

struct AvgPool2dBackward {
  static constexpr const char* kName = "avg_pool2d_backward";
  Pool2dShape shape;
  ConstView dy;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.dy);
    visit.writes(op.dx);
  }
  double flop() const { return count_of(dy) * static_cast<double>(shape.r * shape.s); }
  std::string shape_text() const { return dx.shape.to_string(); }
};

/// Output pixel i covers input pixels [floor(i*H/P), ceil((i+1)*H/P)), likewise for W.
struct AdaptiveAvgPool2d {
  static constexpr const char* kName = "adaptive_avg_pool2d";
  ConstView x;
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.y);
  }
  double flop() const { return count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

struct AdaptiveAvgPool2dBackward {
  static constexpr const char* kName = "adaptive_avg_pool2d_backward";
  ConstView dy;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.dy);
    visit.writes(op.dx);
  }
  double flop() const { return count_of(dx); }
  std::string shape_text() const { return dx.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const MaxPool2d& op);
void run(const Call& call, const MaxPool2dBackward& op);
void run(const Call& call, const AvgPool2d& op);
void run(const Call& call, const AvgPool2dBackward& op);
void run(const Call& call, const AdaptiveAvgPool2d& op);
void run(const Call& call, const AdaptiveAvgPool2dBackward& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const MaxPool2d& op);
void run(ExecContext& ctx, const MaxPool2dBackward& op);
void run(ExecContext& ctx, const AvgPool2d& op);
void run(ExecContext& ctx, const AvgPool2dBackward& op);
void run(ExecContext& ctx, const AdaptiveAvgPool2d& op);
void run(ExecContext& ctx, const AdaptiveAvgPool2dBackward& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
