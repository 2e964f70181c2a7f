// Depthwise convolution by bands of rows.
//
//   for each band (some rows of one image, about 128 KB of results)       one task
//     for each row, for each run of columns that have the same taps inside the image
//       DepthwiseKernels::convolve, or add_gradients
//
// A band's source rows are read from memory once and then, for the other taps, from L2. The middle
// of a row is one run with all taps; pixels at its ends have fewer. Backward data is the same loop
// over dy; of a row of dx, pixels of one phase of the stride (patches.h) make the runs.
// Weights are packed as [taps][K], so that a tap's weights are a vector.
//
// A 3x3 filter without dilation takes whole rows of outputs instead (isa/depthwise3x3.h), whose
// window slides along the row; its backward-data pass at stride 1 is the forward pass over dy with
// the taps in reverse order.
//
// With m > 1 filters a channel, a band's source rows are first repeated m-fold in scratch; backward
// data sums m neighbours of a scratch row. The inner loops know m = 1 only.
//
// Weight gradients: bands are joined into at most 32 slices, each with its own sums [taps][K],
// which are added in index order.
//
// Roofline: one multiply-add a tap and result, 9 for 8 bytes in and out: bound by memory.
#include "hanok/kernels/cpu/conv2d/depthwise.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hanok/kernels/cpu/conv2d/patches.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/depthwise.h"

namespace hanok::cpu::depthwise {
namespace {

constexpr std::int64_t kBandFloats = 32 * 1024;
constexpr std::int64_t kMaxSlices = 32;

// Columns [begin, begin + pixels) of a grid, all of which have these taps inside the source's
// width.
struct Segment {
  std::int64_t begin, pixels;
  std::vector<std::size_t> taps;
};

std::vector<Segment> column_segments(const Patches& patches, std::int64_t width) {
  std::vector<Segment> segments;
  for (std::int64_t j = 0; j < patches.grid_w; ++j) {
    std::vector<std::size_t> taps;
    for (std::size_t t = 0; t < patches.runs.size(); ++t) {
      const std::int64_t w = j * patches.step_w + patches.runs[t].offset_w;
      if (w >= 0 && w < width) taps.push_back(t);
    }
    if (segments.empty() || segments.back().taps != taps) segments.push_back({j, 0, {}});
    ++segments.back().pixels;
    segments.back().taps = std::move(taps);
  }
  return segments;
}

// How an image's rows of results are divided.
struct Bands {
  std::int64_t rows, per_image;
  Bands(std::int64_t grid_h, std::int64_t row_floats) {
    const std::int64_t most =
        std::max<std::int64_t>(kBandFloats / std::max(row_floats, std::int64_t{1}), 1);
    per_image = divide_up(std::max(grid_h, std::int64_t{1}), most);
    rows = divide_up(std::max(grid_h, std::int64_t{1}), per_image);
    per_image = divide_up(std::max(grid_h, std::int64_t{1}), rows);
  }
};

// One grid of output pixels over a source image.
struct Grid {
  const Patches& patches;
  std::vector<Segment> segments;
  std::int64_t height, width, channels;  // of the source, after repetition
  std::int64_t reach = 0;                // the first source row below those that output row 0 reads

  Grid(const Patches& p, std::int64_t h, std::int64_t w, std::int64_t c)
      : patches(p), segments(column_segments(p, w)), height(h), width(w), channels(c) {
    for (const PatchRun& tap : p.runs) reach = std::max(reach, tap.offset_h + 1);
  }

  // Source rows that output rows [begin, end) read.
  std::int64_t first_source_row(std::int64_t begin) const {
    std::int64_t row = height;
    for (const PatchRun& tap : patches.runs) {
      row = std::min(row, begin * patches.step_h + tap.offset_h);
    }
    return std::clamp<std::int64_t>(row, 0, height);
  }
  std::int64_t end_source_row(std::int64_t end) const {
    std::int64_t row = 0;
    for (const PatchRun& tap : patches.runs) {
      row = std::max(row, (end - 1) * patches.step_h + tap.offset_h + 1);
    }
    return std::clamp<std::int64_t>(row, 0, height);
  }
};

// Source rows in memory, from row `first` of the image on.
struct SourceRows {
  const float* data;
  std::int64_t first;
};

// Calls visit(run, column) for the runs of output row i. `weights` and `gradients` are
// [taps][channels], either may be null.
template <typename Visit>
void for_runs(const Grid& grid, const SourceRows& source, std::int64_t i, const float* weights,
              float* gradients, std::vector<DepthwiseTap>& taps, const Visit& visit) {
  const Patches& patches = grid.patches;
  for (const Segment& segment : grid.segments) {
    taps.clear();
    for (const std::size_t t : segment.taps) {
      const std::int64_t h = i * patches.step_h + patches.runs[t].offset_h;
      if (h < 0 || h >= grid.height) continue;
      const std::int64_t w = segment.begin * patches.step_w + patches.runs[t].offset_w;
      const std::int64_t at = patches.taps[t] * grid.channels;
      taps.push_back({source.data + ((h - source.first) * grid.width + w) * grid.channels,
                      weights ? weights + at : nullptr, gradients ? gradients + at : nullptr});
    }
    DepthwiseRun run;
    run.taps = taps.data();
    run.tap_count = static_cast<std::int64_t>(taps.size());
    run.ahead = source.data + ((i * patches.step_h + grid.reach - source.first) * grid.width +
                               segment.begin * patches.step_w) *
                                  grid.channels;
    run.ahead_rows = patches.step_h;
    run.x_row = grid.width * grid.channels;
    run.step_w = patches.step_w;
    run.pixels = segment.pixels;
    run.channels = grid.channels;
    run.x_step = patches.step_w * grid.channels;
    visit(run, segment.begin);
  }
}

// out [values, m] = each of x's values m times.
void repeat_channels(const float* x, std::int64_t values, std::int64_t m, float* out) {
  for (std::int64_t i = 0; i < values; ++i) {
    for (std::int64_t j = 0; j < m; ++j) out[i * m + j] = x[i];
  }
}

// out [pixels, channels] = sums of m neighbours of x [pixels, channels * m].
void sum_neighbours(const float* x, std::int64_t pixels, std::int64_t channels, std::int64_t m,
                    float* out, std::int64_t out_step) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::int64_t c = 0; c < channels; ++c) {
      float sum = 0;
      for (std::int64_t j = 0; j < m; ++j) sum += *x++;
      out[pixel * out_step + c] = sum;
    }
  }
}

// The source rows of output rows [begin, end) of an image x [H,W,C]; in scratch if m > 1.
SourceRows source_rows(const Grid& grid, const float* x, std::int64_t m, std::int64_t begin,
                       std::int64_t end) {
  if (m == 1) return {x, 0};
  const std::int64_t first = grid.first_source_row(begin);
  const std::int64_t rows = std::max<std::int64_t>(grid.end_source_row(end) - first, 0);
  const std::int64_t row_floats = grid.width * grid.channels;
  float* scratch = thread_scratch(std::max<std::int64_t>(rows * row_floats, 1));
  repeat_channels(x + first * (row_floats / m), rows * (row_floats / m), m, scratch);
  return {scratch, first};
}

std::int64_t multiplier(const Conv2dShape& s) { return s.k / s.c; }

// Whether Depthwise3x3Kernels compute this pass.
bool slides(Conv2dPass pass, const Conv2dShape& s) {
  return choose_schedule(Conv2dAlgorithm::Depthwise, pass, s, WeightsAre::Packed) ==
         Conv2dSchedule::Sliding;
}

// Row i of the results. `weights` and `gradients`: [9][channels]; these may be null.
Depthwise3x3Row sliding_row(const Conv2dShape& s, const SourceRows& source, std::int64_t i,
                            const float* weights, float* gradients) {
  const std::int64_t x_row = s.w * s.k;
  Depthwise3x3Row row = row3x3(
      s, i, weights, [&](std::int64_t h) { return source.data + (h - source.first) * x_row; });
  if (gradients) {
    for (std::int64_t r = 0; r < row.rows; ++r) row.dw[r] = gradients + (row.w[r] - weights);
  }
  row.x_row = x_row;
  row.y_row = row.pixels * s.k;
  row.ahead = source.data + (i * s.window.stride_h + 2 - source.first) * x_row;
  return row;
}

// The same for a row of dx at stride 1: the window's top left tap is the filter's last one.
Depthwise3x3Row reversed_row(const Conv2dShape& s, const SourceRows& source, std::int64_t i,
                             const float* weights) {
  Depthwise3x3Row row = sliding_row(s, source, i, weights, nullptr);
  const std::int64_t floats = 9 * s.k;
  for (std::int64_t r = 0; r < row.rows; ++r) {
    row.w[r] = weights + (floats - s.k - (row.w[r] - weights));
  }
  row.tap_step = -s.k;
  return row;
}

// Bands of the forward pass and of the weight gradient.
Bands output_bands(const Conv2dShape& s) { return {s.p(), s.q() * s.k}; }

std::int64_t slice_count(const Conv2dShape& s) {
  return std::clamp<std::int64_t>(s.n * output_bands(s).per_image, 1, kMaxSlices);
}

std::size_t packed_bytes(Conv2dPass /*pass*/, const Conv2dShape& s) {
  return static_cast<std::size_t>(s.k * s.r * s.s) * sizeof(float);
}

void pack(ExecContext& /*context*/, const IsaKernels& /*kernels*/, Conv2dPass /*pass*/,
          const Conv2dShape& s, const float* w, float* packed) {
  const std::int64_t taps = s.r * s.s;
  for (std::int64_t t = 0; t < taps; ++t) {
    for (std::int64_t k = 0; k < s.k; ++k) packed[t * s.k + k] = w[k * taps + t];
  }
}

std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& s) {
  switch (pass) {
    case Conv2dPass::Forward:
      return block_moments_bytes(s.n * output_bands(s).per_image, s.k);
    case Conv2dPass::BackwardData:
      break;
    case Conv2dPass::BackwardWeights:
      return static_cast<std::size_t>(slice_count(s)) * packed_bytes(pass, s);
  }
  return 0;
}

void forward(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s, const float* x,
             const Conv2dWeights& w, const Epilogue& epilogue, float* y) {
  const float* packed = w.packed;
  const Patches patches = forward_patches(s);
  const Grid grid(patches, s.h, s.w, s.k);
  const Bands bands = output_bands(s);
  const bool sliding = slides(Conv2dPass::Forward, s);
  const TileEpilogue tile = tile_epilogue(epilogue);
  Workspace::Scope scope(context.workspace);
  const BlockMoments moments = take_moments(scope, epilogue, s.n * bands.per_image, s.k);
  const auto rows_of = [&](std::int64_t band) {
    return std::min(bands.rows, s.p() - band % bands.per_image * bands.rows);
  };
  context.pool.run(s.n * bands.per_image, [&](std::int64_t band) {
    const std::int64_t n = band / bands.per_image;
    const std::int64_t begin = band % bands.per_image * bands.rows;
    const std::int64_t end = begin + rows_of(band);
    const SourceRows source = source_rows(grid, x + n * s.h * s.w * s.c, multiplier(s), begin, end);
    std::vector<DepthwiseTap> taps;
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t row = (n * s.p() + p) * s.q() * s.k;
      if (sliding) {
        TileEpilogue here = tile;
        if (tile.residual) here.residual += row;
        kernels.depthwise3x3.convolve(sliding_row(s, source, p, packed, nullptr), here, y + row);
        continue;
      }
      for_runs(grid, source, p, packed, nullptr, taps, [&](DepthwiseRun& run, std::int64_t q) {
        const std::int64_t at = row + q * s.k;
        run.y_step = s.k;
        run.y_row = s.q() * s.k;
        TileEpilogue here = tile;
        if (tile.residual) here.residual += at;
        kernels.depthwise.convolve(run, here, y + at);
      });
    }
    if (moments.mean) {
      kernels.gemm.column_moments(y + (n * s.p() + begin) * s.q() * s.k, s.k, (end - begin) * s.q(),
                                  s.k, moments.mean + band * s.k, moments.deviations + band * s.k);
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

void backward_data(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                   const float* dy, const Conv2dWeights& w, float* dx) {
  const float* packed = w.packed;
  const std::int64_t m = multiplier(s);
  const std::vector<Patches> phases = backward_data_patches(s);
  std::vector<Grid> grids;
  for (const Patches& phase : phases) grids.emplace_back(phase, s.p(), s.q(), s.k);
  const Window2d& window = s.window;
  const Bands bands(s.h, s.w * s.k);
  const bool sliding = slides(Conv2dPass::BackwardData, s);
  context.pool.run(s.n * bands.per_image, [&](std::int64_t band) {
    const std::int64_t n = band / bands.per_image;
    const std::int64_t begin = band % bands.per_image * bands.rows;
    const std::int64_t end = std::min(begin + bands.rows, s.h);
    const SourceRows source{dy + n * s.p() * s.q() * s.k, 0};
    if (sliding) {
      for (std::int64_t h = begin; h < end; ++h) {
        kernels.depthwise3x3.convolve(reversed_row(s, source, h, packed), {},
                                      dx + (n * s.h + h) * s.w * s.c);
      }
      return;
    }
    std::vector<DepthwiseTap> taps;
    // A row of dx alternates between the phases of its columns.
    for (std::int64_t at = begin * window.stride_w; at < end * window.stride_w; ++at) {
      const std::int64_t h = at / window.stride_w;
      const std::int64_t b = at % window.stride_w;
      const Grid& grid = grids[static_cast<std::size_t>(h % window.stride_h * window.stride_w + b)];
      float* row = dx + ((n * s.h + h) * s.w + b) * s.c;
      const std::int64_t step = window.stride_w * s.c;
      for_runs(grid, source, h / window.stride_h, packed, nullptr, taps,
               [&](DepthwiseRun& run, std::int64_t j) {
                 if (m == 1) {
                   run.y_step = step;
                   run.y_row = s.w * s.c;
                   kernels.depthwise.convolve(run, {}, row + j * step);
                   return;
                 }
                 float* scratch = thread_scratch(run.pixels * s.k);
                 run.y_step = s.k;
                 kernels.depthwise.convolve(run, {}, scratch);
                 sum_neighbours(scratch, run.pixels, s.c, m, row + j * step, step);
               });
    }
  });
}

void backward_weights(ExecContext& context, const IsaKernels& kernels, const Conv2dShape& s,
                      const float* x, const float* dy, float* dw) {
  const Patches patches = forward_patches(s);
  const Grid grid(patches, s.h, s.w, s.k);
  const Bands bands = output_bands(s);
  const std::int64_t band_count = s.n * bands.per_image;
  const std::int64_t slices = slice_count(s);
  const std::int64_t floats = s.r * s.s * s.k;
  const bool sliding = slides(Conv2dPass::BackwardWeights, s);
  Workspace::Scope scope(context.workspace);
  auto* parts = scope.take_array<float>(slices * floats);
  context.pool.run(slices, [&](std::int64_t slice) {
    float* part = parts + slice * floats;
    std::fill_n(part, floats, 0.0F);
    std::vector<DepthwiseTap> taps;
    for (std::int64_t band = slice * band_count / slices; band < (slice + 1) * band_count / slices;
         ++band) {
      const std::int64_t n = band / bands.per_image;
      const std::int64_t begin = band % bands.per_image * bands.rows;
      const std::int64_t end = std::min(begin + bands.rows, s.p());
      const SourceRows source =
          source_rows(grid, x + n * s.h * s.w * s.c, multiplier(s), begin, end);
      for (std::int64_t p = begin; p < end; ++p) {
        const float* row = dy + (n * s.p() + p) * s.q() * s.k;
        if (sliding) {
          kernels.depthwise3x3.add_gradients(sliding_row(s, source, p, part, part), row);
          continue;
        }
        for_runs(grid, source, p, nullptr, part, taps, [&](DepthwiseRun& run, std::int64_t q) {
          run.y_step = s.k;
          run.y_row = s.q() * s.k;
          kernels.depthwise.add_gradients(run, row + q * s.k);
        });
      }
    }
  });
  kernels.gemm.add_parts(parts + floats, slices - 1, floats, floats, parts);
  const std::int64_t taps = s.r * s.s;
  for (std::int64_t k = 0; k < s.k; ++k) {
    for (std::int64_t t = 0; t < taps; ++t) dw[k * taps + t] = parts[t * s.k + k];
  }
}

bool fits(const Conv2dShape& s) { return s.groups > 1 && s.groups == s.c; }

}  // namespace

const Conv2dDriver driver = {
    .name = "depthwise",
    .fits = fits,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .workspace_bytes = workspace_bytes,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};

}  // namespace hanok::cpu::depthwise
