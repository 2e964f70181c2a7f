#include <algorithm>
#include <initializer_list>

#include "hanok/kernels/cuda/conv/conv2d.h"
#include "hanok/kernels/cuda/conv/conv2d_implicit_gemm.h"
#include "hanok/kernels/cuda/conv/conv2d_winograd.h"
#include "hanok/kernels/cuda/ops/epilogue.h"
#include "hanok/kernels/cuda/ops/packet.h"

namespace hanok::cuda {
namespace {

enum class Algorithm { ImplicitGemm, Winograd, Direct };

Algorithm choose(Conv2dPass pass, const Conv2dShape& s) {
  // Tiles of fewer than 8 channels per group are mostly empty.
  if (s.groups > 1 && std::min(s.c_per_group(), s.k_per_group()) < 8) return Algorithm::Direct;
  if (pass == Conv2dPass::BackwardWeights || !winograd::fits(s)) return Algorithm::ImplicitGemm;
  // Below 32 channels, or with few tiles per transformed filter, the transforms cost more than the
  // products they save.
  const bool to_input = pass == Conv2dPass::BackwardData;
  const std::int64_t tiles = divide_up(to_input ? s.h : s.p(), 4) *
                             divide_up(to_input ? s.w : s.q(), 4) *
                             (s.nominal_n > 0 ? s.nominal_n : s.n);
  return s.c >= 32 && s.k >= 32 && tiles >= 12 ? Algorithm::Winograd : Algorithm::ImplicitGemm;
}

struct Operand {
  const char* name;
  ConstView view;
};
/// All of one type, one of those of with_storage().
void check_alike(const char* op, DType dtype, std::initializer_list<Operand> operands) {
  with_storage(op, dtype, [](auto) {});
  for (const Operand& operand : operands) check_dtype(op, operand.name, operand.view, dtype);
}

}  // namespace

const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) {
  switch (choose(pass, shape)) {
    case Algorithm::ImplicitGemm:
      return "implicit_gemm";
    case Algorithm::Winograd:
      return "winograd4x4";
    case Algorithm::Direct:
      return "direct";
  }
  return "?";
}

std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  const Algorithm algorithm = choose(pass, s);
  switch (pass) {
    case Conv2dPass::Forward:
      return std::max(algorithm == Algorithm::Winograd ? winograd::workspace_bytes(pass, s) : 0,
                      column_moments_bytes(s.n * s.p() * s.q(), s.k));
    case Conv2dPass::BackwardData:
      return algorithm == Algorithm::Winograd ? winograd::workspace_bytes(pass, s) : 0;
    case Conv2dPass::BackwardWeights:
      return algorithm == Algorithm::Direct ? direct_conv2d::backward_weights_bytes(s)
                                            : implicit_gemm::backward_weights_bytes(s);
  }
  return 0;
}

void conv2d_forward(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView w,
                    const Epilogue& epilogue, View y) {
  check_alike("conv2d_forward", x.dtype, {{"w", w}, {"y", y}});
  check_epilogue("conv2d_forward", epilogue, y.dtype);
  const std::int64_t pixels = s.n * s.p() * s.q();
  if (pixels == 0 || s.k == 0) return;
  switch (choose(Conv2dPass::Forward, s)) {
    case Algorithm::ImplicitGemm:
      implicit_gemm::forward(ctx, s, x, w, epilogue, y);
      break;
    case Algorithm::Winograd:
      winograd::forward(ctx, s, x, w, epilogue, y);
      break;
    case Algorithm::Direct:
      direct_conv2d::forward(ctx, s, x, w, epilogue, y);
      break;
  }
  if (epilogue.bn_mean_var.defined()) {
    column_moments(ctx, y, {1, pixels, s.k, 0}, s.k, epilogue.bn_mean_var);
  }
}

void conv2d_backward_data(ExecContext& ctx, const Conv2dShape& s, ConstView dy, ConstView w,
                          View dx) {
  check_alike("conv2d_backward_data", dy.dtype, {{"w", w}, {"dx", dx}});
  if (s.n * s.h * s.w * s.c == 0) return;
  switch (choose(Conv2dPass::BackwardData, s)) {
    case Algorithm::ImplicitGemm:
      return implicit_gemm::backward_data(ctx, s, dy, w, dx);
    case Algorithm::Winograd:
      return winograd::backward_data(ctx, s, dy, w, dx);
    case Algorithm::Direct:
      return direct_conv2d::backward_data(ctx, s, dy, w, dx);
  }
}

void conv2d_backward_weights(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView dy,
                             View dw) {
  check_alike("conv2d_backward_weights", x.dtype, {{"dy", dy}});
  check_dtype("conv2d_backward_weights", "dw", dw, DType::F32);
  if (s.k * s.c_per_group() * s.r * s.s == 0) return;
  if (choose(Conv2dPass::BackwardWeights, s) == Algorithm::Direct) {
    return direct_conv2d::backward_weights(ctx, s, x, dy, dw);
  }
  implicit_gemm::backward_weights(ctx, s, x, dy, dw);
}

}  // namespace hanok::cuda
