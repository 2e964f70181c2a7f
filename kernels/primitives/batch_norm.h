// Batch norm of x seen as [rows, channels] (rows = N*H*W or N). Statistics and the parameters of
// channels are f32 [C].
//
// On the CPU x may be bf16 beside y, dx and gradients in f32 (kernels/cpu/isa/batch_norm.h says
// why).
#pragma once

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/epilogue.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Mean and biased variance of each channel; blocks combined in double in index order.
struct BatchNormStatistics {
  static constexpr const char* kName = "batch_norm_statistics";
  ConstView x;
  std::int64_t rows = 0, channels = 0;
  View mean_var;  // f32 [2,C]

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.writes(op.mean_var, Elements::F32);
  }
  double flop() const { return 3 * count_of(x); }
  std::string shape_text() const { return x.shape.to_string(); }
};

/// Normalises, fused with residual and ReLU:
///   xhat = (x - mean) * invstd;  y = activation(gamma * xhat + beta + residual)
struct BatchNormApply {
  static constexpr const char* kName = "batch_norm_apply";
  ConstView x;
  ConstView mean, invstd;
  ConstView gamma{}, beta{};  // undefined: 1 and 0
  ConstView residual{};       // undefined: none
  Activation activation = Activation::None;
  View y;  // may be residual or an x of its type (in place)

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x, Elements::DataOrBf16);
    for (auto* view : {&op.mean, &op.invstd, &op.gamma, &op.beta}) {
      visit.reads(*view, Elements::F32);
    }
    visit.reads(op.residual);
    visit.writes(op.y);
  }
  double flop() const {
    return (2 + (residual.defined() ? 1 : 0) + (activation != Activation::None ? 1 : 0)) *
           count_of(x);
  }
  std::string shape_text() const { return x.shape.to_string(); }
};

/// Its backward. g = dy where activation let it pass (y > 0), else 0.
///   dbeta = sum g; dgamma = sum g*xhat; dresidual = g
///   training:           dx = gamma*invstd * (g - dbeta/rows - xhat*dgamma/rows)
///   frozen statistics:  dx = gamma*invstd * g
struct BatchNormBackward {
  static constexpr const char* kName = "batch_norm_backward";
  ConstView x, y{}, dy;
  ConstView mean, invstd, gamma{};
  /// Where activation is Relu, g needs y > 0: from y or, if y is undefined, recomputed from x,
  /// gamma and beta (undefined: 1 and 0), bit for bit as BatchNormApply did without a residual.
  ConstView beta{};
  Activation activation = Activation::None;
  bool frozen_statistics = false;
  View dx{};               // undefined: not wanted; may be dy, y or an x of its type (in place)
  View dgamma{}, dbeta{};  // undefined: not wanted
  View dresidual{};        // undefined: not wanted; may be dy unless dx is
  /// Where the rows are some of a batch whose statistics these are: dbeta / rows and invstd *
  /// dgamma / rows of that batch, [C] each, from which dx is computed. Undefined: of these rows.
  ConstView batch_offset{}, batch_slope{};

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x, Elements::DataOrBf16);
    for (auto* view : {&op.y, &op.dy}) visit.reads(*view);
    for (auto* view :
         {&op.mean, &op.invstd, &op.gamma, &op.beta, &op.batch_offset, &op.batch_slope}) {
      visit.reads(*view, Elements::F32);
    }
    visit.writes(op.dx);
    visit.writes(op.dgamma, Elements::F32);
    visit.writes(op.dbeta, Elements::F32);
    visit.writes(op.dresidual);
  }
  double flop() const {
    return ((dgamma.defined() || dbeta.defined() ? 4 : 0) + (dx.defined() ? 5 : 0)) * count_of(dy);
  }
  std::string shape_text() const { return dy.shape.to_string(); }
};

/// norm.y = max pooling of the batch norm with its activation (None or Relu; no residual), whose
/// own result is not stored. Only where Backend::fuses_batch_norm_max_pool.
struct BatchNormMaxPool {
  static constexpr const char* kName = "batch_norm_max_pool";
  BatchNormApply norm;
  Pool2dShape pool;
  View indices{};  // undefined: not wanted; as MaxPool2d's, 255 where the activation let nothing
                   // pass
  View chosen{};   // undefined: not wanted; x of each window's maximum, of y's shape and x's type:
                   // y is the batch norm of it, unless dilated taps all lie in the padding

  static void operands(auto& op, const auto& visit) {
    BatchNormApply::operands(op.norm, visit);
    visit.writes(op.indices, Elements::U8);
    visit.writes(op.chosen, Elements::DataOrBf16);
  }
  double flop() const {
    return 3 * count_of(norm.x) + count_of(norm.y) * static_cast<double>(pool.r * pool.s);
  }
  std::string shape_text() const { return norm.x.shape.to_string(); }
};

/// Its backward: norm.dy is the pooled one, norm.y and norm.dresidual are undefined, norm.dx may be
/// an x of its type (in place).
struct BatchNormMaxPoolBackward {
  static constexpr const char* kName = "batch_norm_max_pool_backward";
  BatchNormBackward norm;
  Pool2dShape pool;
  ConstView indices;
  /// Where the call's images are some of a batch: what an earlier call for all of them gave, and
  /// how many they are. Then norm.dgamma and norm.dbeta are undefined.
  struct Batch {
    std::int64_t images = 0;
    ConstView dgamma{}, dbeta{};
  };
  Batch batch{};

  static void operands(auto& op, const auto& visit) {
    BatchNormBackward::operands(op.norm, visit);
    visit.reads(op.indices, Elements::U8);
    visit.reads(op.batch.dgamma, Elements::F32);
    visit.reads(op.batch.dbeta, Elements::F32);
  }
  double flop() const {
    return 4 * count_of(norm.dy) + (norm.dx.defined() ? 5 : 0) * count_of(norm.x);
  }
  std::string shape_text() const { return norm.x.shape.to_string(); }
};

namespace cpu {
void run(const Call& call, const BatchNormStatistics& op);
void run(const Call& call, const BatchNormApply& op);
void run(const Call& call, const BatchNormBackward& op);
void run(const Call& call, const BatchNormMaxPool& op);
void run(const Call& call, const BatchNormMaxPoolBackward& op);
}  // namespace cpu

namespace cuda {
void run(ExecContext& ctx, const BatchNormStatistics& op);
void run(ExecContext& ctx, const BatchNormApply& op);
void run(ExecContext& ctx, const BatchNormBackward& op);
}  // namespace cuda

}  // namespace hanok
#pragma GCC visibility pop
