#include <algorithm>

#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/conv2d_implicit_gemm.h"
#include "kernels/cuda/conv2d_winograd.h"
#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/packet.h"

namespace hanok::cuda {
namespace {

enum class Algorithm { ImplicitGemm, Winograd, Direct };

Algorithm choose(Conv2dPass pass, const Conv2dShape& s) {
  // Tiles of fewer than 8 channels a group are mostly empty.
  if (s.groups > 1 && std::min(s.c_per_group(), s.k_per_group()) < 8) return Algorithm::Direct;
  if (pass == Conv2dPass::BackwardWeights || !winograd::fits(s)) return Algorithm::ImplicitGemm;
  // Below 32 channels, or with few tiles for each transformed filter, the transforms cost more
  // than the products that they save.
  const bool to_input = pass == Conv2dPass::BackwardData;
  const std::int64_t tiles = divide_up(to_input ? s.h : s.p(), 4) *
                             divide_up(to_input ? s.w : s.q(), 4) *
                             (s.nominal_n > 0 ? s.nominal_n : s.n);
  return s.c >= 32 && s.k >= 32 && tiles >= 12 ? Algorithm::Winograd : Algorithm::ImplicitGemm;
}

void check_f32(const char* op, const char* what, const ConstView& view) {
  check_dtype(op, what, view, DType::F32);
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
  check_f32("conv2d_forward", "x", x);
  check_f32("conv2d_forward", "w", w);
  check_f32("conv2d_forward", "y", y);
  check_f32("conv2d_forward", "the epilogue's scale", epilogue.scale);
  check_f32("conv2d_forward", "the epilogue's shift", epilogue.shift);
  check_f32("conv2d_forward", "the epilogue's residual", epilogue.residual);
  const std::int64_t pixels = s.n * s.p() * s.q();
  MatrixResult result;
  result.data = y.f32();
  result.rows = pixels;
  result.columns = s.k;
  result.stride = s.k;
  result.scale = epilogue.scale.f32();
  result.shift = epilogue.shift.f32();
  result.residual = epilogue.residual.f32();
  result.relu = epilogue.activation == Activation::Relu;
  result.vectors = s.k % 4 == 0 && aligned16(result.data) && aligned16(result.residual);
  if (pixels == 0 || s.k == 0) return;
  switch (choose(Conv2dPass::Forward, s)) {
    case Algorithm::ImplicitGemm:
      implicit_gemm::forward(ctx, s, x.f32(), w.f32(), result);
      break;
    case Algorithm::Winograd:
      winograd::forward(ctx, s, x.f32(), w.f32(), result);
      break;
    case Algorithm::Direct:
      direct_conv2d::forward(ctx, s, x.f32(), w.f32(), result);
      break;
  }
  if (epilogue.bn_mean_var.defined()) {
    column_moments(ctx, y, {1, pixels, s.k, 0}, s.k, epilogue.bn_mean_var);
  }
}

void conv2d_backward_data(ExecContext& ctx, const Conv2dShape& s, ConstView dy, ConstView w,
                          View dx) {
  check_f32("conv2d_backward_data", "dy", dy);
  check_f32("conv2d_backward_data", "w", w);
  check_f32("conv2d_backward_data", "dx", dx);
  if (s.n * s.h * s.w * s.c == 0) return;
  switch (choose(Conv2dPass::BackwardData, s)) {
    case Algorithm::ImplicitGemm:
      return implicit_gemm::backward_data(ctx, s, dy.f32(), w.f32(), dx.f32());
    case Algorithm::Winograd:
      return winograd::backward_data(ctx, s, dy.f32(), w.f32(), dx.f32());
    case Algorithm::Direct:
      return direct_conv2d::backward_data(ctx, s, dy.f32(), w.f32(), dx.f32());
  }
}

void conv2d_backward_weights(ExecContext& ctx, const Conv2dShape& s, ConstView x, ConstView dy,
                             View dw) {
  check_f32("conv2d_backward_weights", "x", x);
  check_f32("conv2d_backward_weights", "dy", dy);
  check_f32("conv2d_backward_weights", "dw", dw);
  if (s.k * s.c_per_group() * s.r * s.s == 0) return;
  if (choose(Conv2dPass::BackwardWeights, s) == Algorithm::Direct) {
    return direct_conv2d::backward_weights(ctx, s, x.f32(), dy.f32(), dw.f32());
  }
  implicit_gemm::backward_weights(ctx, s, x.f32(), dy.f32(), dw.f32());
}

}  // namespace hanok::cuda
