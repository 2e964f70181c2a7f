#include "hanok/kernels/cpu/conv2d/patches.h"

#include <algorithm>
#include <utility>

namespace hanok::cpu {
namespace {

// One tap along one axis: its index and the source offset of output pixel 0.
struct AxisTap {
  std::int64_t tap;
  std::int64_t offset;
};

// Taps of all rows times all columns; columns whose offsets are consecutive become one run where
// the channels of a pixel are used as a whole.
void add_taps(const std::vector<AxisTap>& rows, const std::vector<AxisTap>& columns,
              std::int64_t kernel_w, std::int64_t channels, bool whole_pixels, Patches& patches) {
  for (const AxisTap& r : rows) {
    bool first = true;
    for (const AxisTap& s : columns) {
      const auto k_begin = static_cast<std::int64_t>(patches.taps.size()) * channels;
      if (!first && whole_pixels &&
          s.offset == patches.runs.back().offset_w + patches.runs.back().taps) {
        ++patches.runs.back().taps;
      } else {
        patches.runs.push_back({r.offset, s.offset, 1, k_begin});
      }
      patches.taps.push_back(r.tap * kernel_w + s.tap);
      first = false;
    }
  }
}

std::vector<AxisTap> forward_taps(std::int64_t kernel, std::int64_t pad, std::int64_t dilation) {
  std::vector<AxisTap> taps;
  for (std::int64_t r = 0; r < kernel; ++r) taps.push_back({r, r * dilation - pad});
  return taps;
}

// Taps that reach output pixels `phase`, `phase` + stride, ...; last tap first, so that offsets
// rise.
std::vector<AxisTap> backward_taps(std::int64_t kernel, std::int64_t pad, std::int64_t dilation,
                                   std::int64_t stride, std::int64_t phase) {
  std::vector<AxisTap> taps;
  for (std::int64_t r = kernel - 1; r >= 0; --r) {
    const std::int64_t position = phase + pad - r * dilation;
    if (position % stride == 0) taps.push_back({r, position / stride});
  }
  return taps;
}

}  // namespace

PatchSource Patches::source(const float* data, std::int64_t height, std::int64_t width,
                            std::int64_t pixel_stride, std::int64_t channels) const {
  return {.data = data,
          .height = height,
          .width = width,
          .pixel_stride = pixel_stride,
          .channels = channels,
          .grid_h = grid_h,
          .grid_w = grid_w,
          .step_h = step_h,
          .step_w = step_w,
          .runs = runs.data(),
          .run_count = static_cast<std::int64_t>(runs.size())};
}

Patches forward_patches(const Conv2dShape& shape) {
  const Window2d& w = shape.window;
  Patches patches;
  patches.grid_h = shape.p();
  patches.grid_w = shape.q();
  patches.step_h = w.stride_h;
  patches.step_w = w.stride_w;
  add_taps(forward_taps(shape.r, w.pad_h, w.dilation_h),
           forward_taps(shape.s, w.pad_w, w.dilation_w), shape.s, shape.c_per_group(),
           shape.groups == 1, patches);
  return patches;
}

std::vector<Patches> backward_data_patches(const Conv2dShape& shape) {
  const Window2d& w = shape.window;
  std::vector<Patches> phases;
  for (std::int64_t a = 0; a < w.stride_h; ++a) {
    for (std::int64_t b = 0; b < w.stride_w; ++b) {
      Patches patches;
      patches.grid_h = (std::max(shape.h - a, std::int64_t{0}) + w.stride_h - 1) / w.stride_h;
      patches.grid_w = (std::max(shape.w - b, std::int64_t{0}) + w.stride_w - 1) / w.stride_w;
      patches.begin_h = a;
      patches.begin_w = b;
      patches.stride_h = w.stride_h;
      patches.stride_w = w.stride_w;
      add_taps(backward_taps(shape.r, w.pad_h, w.dilation_h, w.stride_h, a),
               backward_taps(shape.s, w.pad_w, w.dilation_w, w.stride_w, b), shape.s,
               shape.k_per_group(), shape.groups == 1, patches);
      phases.push_back(std::move(patches));
    }
  }
  return phases;
}

}  // namespace hanok::cpu
