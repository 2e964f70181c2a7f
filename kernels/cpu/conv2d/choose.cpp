#include "hanok/kernels/cpu/conv2d/choose.h"

#include "hanok/kernels/cpu/conv2d/choices.h"

namespace hanok {
namespace {

bool fits_winograd(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r == 3 && s.s == 3 && s.groups == 1 && w.stride_h == 1 && w.stride_w == 1 &&
         w.dilation_h == 1 && w.dilation_w == 1 && w.pad_h <= 2 && w.pad_w <= 2 && s.c % 8 == 0 &&
         s.k % 8 == 0;
}

bool fits_winograd_strided(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r == 3 && s.s == 3 && s.groups == 1 && w.stride_h == 2 && w.stride_w == 2 &&
         w.dilation_h == 1 && w.dilation_w == 1 && w.pad_h == 1 && w.pad_w == 1 && s.c % 8 == 0 &&
         s.k % 8 == 0;
}

bool fits_winograd_stem(const Conv2dShape& s) {
  const Window2d& w = s.window;
  return s.r >= 5 && s.r <= 7 && s.s >= 5 && s.s <= 7 && s.groups == 1 && w.stride_h == 2 &&
         w.stride_w == 2 && w.dilation_h == 1 && w.dilation_w == 1 && s.c <= 4 && s.k % 8 == 0;
}

/// The shipped choice.
Conv2dAlgorithm fastest(Conv2dPass pass, const Conv2dShape& s) {
  if (s.groups > 1 && s.groups == s.c) return Conv2dAlgorithm::Depthwise;
  // With fewer filters or smaller images the input's transform and unused margins cost too much.
  if (pass != Conv2dPass::BackwardData && fits_winograd_stem(s) && s.k >= 16 && s.q() >= 12) {
    return Conv2dAlgorithm::WinogradStem;
  }
  const std::int64_t batch = s.nominal_n > 0 ? s.nominal_n : s.n;
  // The filters are transformed in each call, nine numbers of one: tiles must make up for it.
  if (fits_winograd_strided(s) && s.c >= 32 && s.k >= 32 &&
      batch * ((s.p() + 3) / 4) * ((s.q() + 3) / 4) >= 48) {
    return Conv2dAlgorithm::WinogradStrided;
  }
  // Below 32 channels the transforms cost as much as the products that they save.
  if (!fits_winograd(s) || s.c < 32 || s.k < 32) return Conv2dAlgorithm::ImplicitGemm;
  // 4x4 tiles of the pass's output (of y for the weights), counted with their unused margins.
  const bool to_input = pass == Conv2dPass::BackwardData;
  const std::int64_t tiles_h = ((to_input ? s.h : s.p()) + 3) / 4;
  const std::int64_t tiles_w = ((to_input ? s.w : s.q()) + 3) / 4;
  const std::int64_t tiles = batch * tiles_h * tiles_w;
  // The transformed weights are four times as large as the weights: they must be used often. Where
  // they stay in the caches, and are packed once for many calls, few tiles are enough.
  const bool small = s.c * s.k <= 256 * 256 && pass != Conv2dPass::BackwardWeights;
  if (tiles >= (small ? 4 : 12)) return Conv2dAlgorithm::Winograd4x4;
  // Between these, transformed weights of half that size are still worth it.
  if (pass == Conv2dPass::Forward && tiles >= 4) return Conv2dAlgorithm::Winograd2x2;
  return Conv2dAlgorithm::ImplicitGemm;
}

}  // namespace

Conv2dAlgorithm choose_conv2d(Conv2dPass pass, const Conv2dShape& shape) {
  return chosen_conv2d(pass, shape, fastest(pass, shape));
}

const std::vector<Conv2dAlgorithm>& conv2d_algorithms() {
  static const std::vector<Conv2dAlgorithm> all = {
      Conv2dAlgorithm::ImplicitGemm,    Conv2dAlgorithm::Winograd4x4,  Conv2dAlgorithm::Winograd2x2,
      Conv2dAlgorithm::WinogradStrided, Conv2dAlgorithm::WinogradStem, Conv2dAlgorithm::Depthwise};
  return all;
}

bool can_compute(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dShape& shape) {
  switch (algorithm) {
    case Conv2dAlgorithm::ImplicitGemm:
      return true;
    case Conv2dAlgorithm::Winograd4x4:
      return fits_winograd(shape);
    case Conv2dAlgorithm::Winograd2x2:
      return pass == Conv2dPass::Forward && fits_winograd(shape);
    case Conv2dAlgorithm::WinogradStrided:
      return fits_winograd_strided(shape);
    case Conv2dAlgorithm::WinogradStem:
      return pass != Conv2dPass::BackwardData && fits_winograd_stem(shape);
    case Conv2dAlgorithm::Depthwise:
      return shape.groups > 1 && shape.groups == shape.c;
  }
  return false;
}

const char* name_of(Conv2dAlgorithm algorithm) {
  switch (algorithm) {
    case Conv2dAlgorithm::ImplicitGemm:
      return "implicit_gemm";
    case Conv2dAlgorithm::Winograd4x4:
      return "winograd4x4";
    case Conv2dAlgorithm::Winograd2x2:
      return "winograd2x2";
    case Conv2dAlgorithm::WinogradStrided:
      return "winograd_strided";
    case Conv2dAlgorithm::WinogradStem:
      return "winograd_stem";
    case Conv2dAlgorithm::Depthwise:
      return "depthwise";
  }
  return "?";
}

}  // namespace hanok
