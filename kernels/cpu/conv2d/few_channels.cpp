// Implicit GEMM over an image of few channels (a stem's) without gathering its patches.
//
// In NHWC the S taps of one of a patch's R rows are S * C floats side by side, and the next output
// pixel's begin stride * C floats further. So the patch matrix is the image itself, read with
// overlapping rows: row q of A is R runs of S * C floats, which the register tile follows
// (GemmBlock::a_runs). Only padding is missing: source rows are copied into scratch with zeros
// around them, C floats a pixel where the results have K.
//
//   for each band of output rows (about 1000 pixels)                       one task
//     copy its source rows, padded                                         46 KB for 3x3/2 at 224
//     for each output row
//       GemmKernels::multiply, A from the copy
//
// A gather of 27 floats costs as much as the 27 * 32 multiply-adds that use them (measured: 55
// GFLOP/s on two cores that do 150 without it). The sums run in the same order: the same bits.
#include "hanok/kernels/cpu/conv2d/few_channels.h"

#include <algorithm>
#include <vector>

#include "hanok/kernels/cpu/conv2d/implicit_gemm.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu::few_channels {
namespace {

constexpr std::int64_t kBandPixels = 1024;

// How output rows are cut, and their padded source rows.
struct Bands {
  std::int64_t rows, per_image;
  std::int64_t row_floats;  // of a padded source row: all that a row of outputs reads

  explicit Bands(const Conv2dShape& s) {
    per_image = divide_up(s.p() * s.q(), kBandPixels);
    rows = divide_up(s.p(), std::max<std::int64_t>(per_image, 1));
    per_image = divide_up(s.p(), rows);
    row_floats = ((s.q() - 1) * s.window.stride_w + s.s) * s.c;
  }
};

// Source row h of `image`, or zeros if there is none, with zeros at both sides.
void copy_padded(const GemmKernels& kernels, const Conv2dShape& s, const float* image,
                 std::int64_t h, std::int64_t row_floats, float* out) {
  const std::int64_t left = std::min(s.window.pad_w * s.c, row_floats);
  const bool inside = h >= 0 && h < s.h;
  const std::int64_t taken = inside ? std::min(s.w * s.c, row_floats - left) : 0;
  std::fill_n(out, left, 0.0F);
  if (taken > 0) kernels.copy_rows(image + h * s.w * s.c, 0, 1, taken, out + left, 0);
  std::fill(out + left + taken, out + row_floats, 0.0F);
}

bool fits(const Conv2dShape& s) {
  return s.groups == 1 && s.c <= 4 && s.r * s.s > 1 && s.window.dilation_w == 1 &&
         s.r * s.s * s.c <= kBlockK && s.q() > 0;
}

std::size_t workspace_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return block_moments_bytes(s.n * Bands(s).per_image, s.k);
}

void forward(ExecContext& context, const IsaKernels& isa_kernels, const Conv2dShape& s,
             const float* x, const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const GemmKernels& kernels = isa_kernels.gemm;
  const Window2d& window = s.window;
  const Bands bands(s);
  const TileEpilogue tile = tile_epilogue(epilogue);
  Workspace::Scope scope(context.workspace);
  const BlockMoments moments = take_moments(scope, epilogue, s.n * bands.per_image, s.k);
  std::vector<std::int64_t> row_offsets;
  for (std::int64_t q = 0; q < s.q(); ++q) row_offsets.push_back(q * s.k);
  const auto rows_of = [&](std::int64_t band) {
    return std::min(bands.rows, s.p() - band % bands.per_image * bands.rows);
  };
  context.pool.run(s.n * bands.per_image, [&](std::int64_t band) {
    const float* image = x + band / bands.per_image * s.h * s.w * s.c;
    const std::int64_t begin = band % bands.per_image * bands.rows;
    const std::int64_t rows = rows_of(band);
    const std::int64_t first = begin * window.stride_h - window.pad_h;
    const std::int64_t source_rows =
        (rows - 1) * window.stride_h + window.dilation_h * (s.r - 1) + 1;
    float* source = thread_scratch(source_rows * bands.row_floats);
    for (std::int64_t h = 0; h < source_rows; ++h) {
      copy_padded(kernels, s, image, first + h, bands.row_floats, source + h * bands.row_floats);
    }
    GemmBlock block{};
    block.rows = s.q();
    block.columns = s.k;
    block.k = s.r * s.s * s.c;
    block.a_row_stride = window.stride_w * s.c;
    block.a_k_stride = 1;
    block.a_runs = s.r;
    block.a_run_stride = window.dilation_h * bands.row_floats;
    block.b = w.packed;
    block.b_panel_stride = block.k * kPanelColumns;
    block.b_k_stride = kPanelColumns;
    block.c_row_offset = row_offsets.data();
    block.fetch_a = true;
    const std::int64_t out = (band / bands.per_image * s.p() + begin) * s.q() * s.k;
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t at = out + i * s.q() * s.k;
      block.a = source + i * window.stride_h * bands.row_floats;
      block.c = y + at;
      TileEpilogue here = tile;
      if (tile.residual) here.residual += at;
      block.epilogue = &here;
      kernels.multiply(block);
    }
    if (moments.mean) {
      kernels.column_moments(y + out, s.k, rows * s.q(), s.k, moments.mean + band * s.k,
                             moments.deviations + band * s.k);
    }
  });
  if (moments.mean) {
    std::vector<std::int64_t> block_rows;
    for (std::int64_t band = 0; band < s.n * bands.per_image; ++band) {
      block_rows.push_back(rows_of(band) * s.q());
    }
    combine_moments(moments, block_rows, epilogue.bn_mean_var.f32());
  }
}

}  // namespace

const Conv2dDriver driver = {
    .name = "few_channels",
    .fits = fits,
    .packed_bytes = implicit_gemm::packed_bytes,
    .pack = implicit_gemm::pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
};

}  // namespace hanok::cpu::few_channels
