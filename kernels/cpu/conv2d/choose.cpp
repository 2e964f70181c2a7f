#include "hanok/kernels/cpu/conv2d/choose.h"

#include <algorithm>

#include "hanok/kernels/cpu/conv2d/choices.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4.h"

namespace hanok {
namespace {

/// 4x4 tiles of the pass's output (of y for the weights), counted with their unused margins.
std::int64_t tiles_of_image(Conv2dPass pass, const Conv2dShape& s) {
  const bool to_input = pass == Conv2dPass::BackwardData;
  return (((to_input ? s.h : s.p()) + 3) / 4) * (((to_input ? s.w : s.q()) + 3) / 4);
}

/// Whether products of integers pay for rounding the patches: these must be long, and used for many
/// output channels.
bool integers_pay(Conv2dPass pass, const Conv2dShape& s) {
  const bool to_input = pass == Conv2dPass::BackwardData;
  const std::int64_t taps =
      to_input ? s.r * s.s / std::max<std::int64_t>(s.window.stride_h * s.window.stride_w, 1)
               : s.r * s.s;
  if (pass == Conv2dPass::BackwardWeights) return s.k_per_group() >= 32 && s.c_per_group() >= 32;
  const std::int64_t from = to_input ? s.k_per_group() : s.c_per_group();
  const std::int64_t to = to_input ? s.c_per_group() : s.k_per_group();
  return std::max<std::int64_t>(taps, 1) * from >= 32 && to >= 24;
}

/// The shipped choice.
Conv2dAlgorithm fastest(Conv2dPass pass, const Conv2dShape& s) {
  const auto possible = [&](Conv2dAlgorithm algorithm) { return can_compute(algorithm, pass, s); };
  const std::int64_t batch = s.nominal_n > 0 ? s.nominal_n : s.n;
  const bool direct_int16 = possible(Conv2dAlgorithm::ImplicitGemmInt16) && integers_pay(pass, s);

  if (possible(Conv2dAlgorithm::Depthwise)) return Conv2dAlgorithm::Depthwise;

  // With fewer filters or smaller images the input's transform and unused margins cost too much.
  if (possible(Conv2dAlgorithm::WinogradStem) && s.k >= 16 && s.q() >= 12) {
    return Conv2dAlgorithm::WinogradStem;
  }

  // Below 32 channels the transforms cost as much as the products that they save.
  if (s.c >= 32 && s.k >= 32) {
    // The filters are transformed in each call, nine numbers of one: there must be enough tiles to
    // pay for it. As integers they are packed, which evaluation does once for many calls: fewer are
    // enough, but for the 4 tiles of 7x7 outputs direct products read less (0.72 ms for 1.09).
    const std::int64_t strided_tiles = batch * ((s.p() + 3) / 4) * ((s.q() + 3) / 4);
    // With few channels the weights' gradient is limited by its transforms.
    const bool suits = pass != Conv2dPass::BackwardWeights || s.c + s.k > 256;
    // One scale over 256 channels of four phases is too coarse for heavy tails; and packing takes
    // as much time as is saved.
    const bool direct = direct_int16 && pass == Conv2dPass::Forward && s.c >= 256;
    if (suits && !direct && possible(Conv2dAlgorithm::WinogradStridedInt16) &&
        strided_tiles >= (pass == Conv2dPass::Forward ? 8 : 48)) {
      return Conv2dAlgorithm::WinogradStridedInt16;
    }
    if (!direct && possible(Conv2dAlgorithm::WinogradStrided) && strided_tiles >= 48) {
      return Conv2dAlgorithm::WinogradStrided;
    }
    // The transformed weights are four times as large as the weights: they must be used often.
    // Where they stay in the caches, and are packed once for many calls, few tiles are enough.
    const bool small = s.c * s.k <= 256 * 256 && pass != Conv2dPass::BackwardWeights;
    const std::int64_t tiles = batch * tiles_of_image(pass, s);
    if (possible(Conv2dAlgorithm::Winograd4x4) && tiles >= (small ? 4 : 12)) {
      // The input's gradient packs its weights at every step: with 512 channels that takes as long
      // as the products of 64 tiles, together four fifths of the time in floats.
      const bool pays = pass != Conv2dPass::BackwardData || tiles >= 64;
      if (pays && possible(Conv2dAlgorithm::Winograd4x4Int16)) {
        return Conv2dAlgorithm::Winograd4x4Int16;
      }
      return Conv2dAlgorithm::Winograd4x4;
    }
    // The 4 tiles of one image of 7x7 wait for their weights: as integers those of F(2x2) are less
    // than half of F(4x4)'s.
    if (possible(Conv2dAlgorithm::Winograd2x2Int16) && tiles >= 4 && tiles < 8) {
      return Conv2dAlgorithm::Winograd2x2Int16;
    }
    // Between these, integers halve the transformed weights.
    if (possible(Conv2dAlgorithm::Winograd4x4Int16) && pass == Conv2dPass::Forward && tiles >= 4) {
      return Conv2dAlgorithm::Winograd4x4Int16;
    }
    // Between these, transformed weights of half that size are still worth it.
    if (possible(Conv2dAlgorithm::Winograd2x2) && tiles >= 4) return Conv2dAlgorithm::Winograd2x2;
  }

  // Gathering a patch of few channels costs as much as its products.
  if (possible(Conv2dAlgorithm::FewChannels)) return Conv2dAlgorithm::FewChannels;
  return direct_int16 ? Conv2dAlgorithm::ImplicitGemmInt16 : Conv2dAlgorithm::ImplicitGemm;
}

Conv2dSchedule winograd4x4_schedule(Conv2dPass pass, const Conv2dShape& s, WeightsAre weights) {
  // Early layers: transformed tiles, their products and the weights of a task stay in L2.
  if (s.c + s.k <= 256) return Conv2dSchedule::Fused;
  // Deep layers: the transformed weights (9 to 38 MB) leave every cache. Where a call would have to
  // compute them and few blocks of tiles use them, each block computes those of a panel when it
  // needs them.
  constexpr std::int64_t kMostPackings = 4;
  const bool few_blocks =
      s.n * tiles_of_image(pass, s) <= kMostPackings * cpu::winograd4x4::kStagedTiles;
  if (pass != Conv2dPass::BackwardWeights && weights == WeightsAre::Plain && few_blocks) {
    return Conv2dSchedule::Panels;
  }
  return Conv2dSchedule::Staged;
}

Conv2dSchedule depthwise_schedule(Conv2dPass pass, const Conv2dShape& s) {
  const Window2d& w = s.window;
  const bool is_3x3 = s.r == 3 && s.s == 3 && w.pad_h == 1 && w.pad_w == 1 && w.dilation_h == 1 &&
                      w.dilation_w == 1 && w.stride_w <= 2 && s.extra_h == 0 && s.extra_w == 0;
  // Backward data slides over dy with the taps in reverse order, which needs a dy for each dx.
  const bool reversible = w.stride_h == 1 && w.stride_w == 1 && s.k == s.c;
  return is_3x3 && (pass != Conv2dPass::BackwardData || reversible) ? Conv2dSchedule::Sliding
                                                                    : Conv2dSchedule::ByTap;
}

const char* name_of(Conv2dSchedule schedule) {
  switch (schedule) {
    case Conv2dSchedule::Only:
      break;
    case Conv2dSchedule::Fused:
      return "fused";
    case Conv2dSchedule::Staged:
      return "staged";
    case Conv2dSchedule::Panels:
      return "panels";
    case Conv2dSchedule::Sliding:
      return "sliding";
    case Conv2dSchedule::ByTap:
      return "by tap";
  }
  return "";
}

}  // namespace

Conv2dAlgorithm choose_conv2d(Conv2dPass pass, const Conv2dShape& shape) {
  return chosen_conv2d(pass, shape, fastest(pass, shape));
}

Conv2dSchedule choose_schedule(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dShape& shape,
                               WeightsAre weights) {
  if (algorithm == Conv2dAlgorithm::Winograd4x4) return winograd4x4_schedule(pass, shape, weights);
  if (algorithm == Conv2dAlgorithm::Winograd4x4Int16) {
    return shape.c + shape.k <= 256 ? Conv2dSchedule::Fused : Conv2dSchedule::Panels;
  }
  if (algorithm == Conv2dAlgorithm::Depthwise) return depthwise_schedule(pass, shape);
  return Conv2dSchedule::Only;
}

std::string describe_conv2d(Conv2dPass pass, const Conv2dShape& shape, WeightsAre weights) {
  const Conv2dAlgorithm algorithm = choose_conv2d(pass, shape);
  const Conv2dSchedule schedule = choose_schedule(algorithm, pass, shape, weights);
  std::string text = name_of(algorithm);
  if (schedule != Conv2dSchedule::Only) text += std::string(" (") + name_of(schedule) + ")";
  return text;
}

}  // namespace hanok
