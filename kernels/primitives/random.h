// Random numbers as a function of a position in a Philox stream (base/philox.h).
#pragma once

#include "hanok/kernels/base/philox.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Random numbers of one call: lane = element index / 4, word = element index % 4.
struct RandomCall {
  PhiloxKey key{};
  ConstView epoch_step;  // i64 [2] on the device: (epoch, step)
  std::uint32_t draw = 0;

  static void operands(auto& op, const auto& visit) { visit.reads(op.epoch_step, Elements::I64); }
};

/// out in [low, high).
struct RandomUniform {
  static constexpr const char* kName = "random_uniform";
  RandomCall call;
  float low = 0, high = 1;
  View out;

  static void operands(auto& op, const auto& visit) {
    RandomCall::operands(op.call, visit);
    visit.writes(op.out);
  }
  double flop() const { return 2 * count_of(out); }
  std::string shape_text() const { return out.shape.to_string(); }
};

struct RandomNormal {
  static constexpr const char* kName = "random_normal";
  RandomCall call;
  float mean = 0, stddev = 1;
  View out;

  static void operands(auto& op, const auto& visit) {
    RandomCall::operands(op.call, visit);
    visit.writes(op.out);
  }
  double flop() const { return 2 * count_of(out); }
  std::string shape_text() const { return out.shape.to_string(); }
};

/// y = x * mask / (1-p). The backward pass draws the same mask again from the same call.
struct Dropout {
  static constexpr const char* kName = "dropout";
  RandomCall call;
  float p = 0;  // probability that an element is dropped
  ConstView x;
  View y;

  static void operands(auto& op, const auto& visit) {
    RandomCall::operands(op.call, visit);
    visit.reads(op.x);
    visit.writes(op.y);
  }
  double flop() const { return 2 * count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const RandomUniform& op);
void run(const Call& call, const RandomNormal& op);
void run(const Call& call, const Dropout& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const RandomUniform& op);
void run(ExecContext& ctx, const RandomNormal& op);
void run(ExecContext& ctx, const Dropout& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
