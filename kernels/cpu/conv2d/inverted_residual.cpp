// The wide tensor has six times the channels of the block's input. At 16 images it leaves every
// cache: written and read again it costs more time than its arithmetic. Here it lives only as a few
// rows in L2:
//
//   for each strip (an image, or some rows of it)                          one task
//     for each band of the strip's rows of y
//       expand the rows of x that the band needs and that are not there    GEMM into a ring of rows
//       depthwise 3x3 from the ring into the band's scratch                isa/depthwise3x3.h
//       project the scratch into y, with the residual                      GEMM
//
// The ring holds the source rows of one band; its last rows (one or two) serve the next band, so
// only strips compute rows twice, at their edges. The ring and the scratch together fill half of a
// usual L2 of 1 MB.
//
// Every sum runs in the same order as in the three convolutions alone: the same bits, whatever the
// strips and bands.
//
// In --precision int16 the products are those of integers: each block of rows is quantised into
// scratch first.
//
// Roofline: only x, y and the weights are moved, so the FMA units are the limit.
#include "hanok/kernels/cpu/conv2d/inverted_residual.h"

#include <algorithm>
#include <array>

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "hanok/kernels/cpu/conv2d/depthwise.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_int16.h"
#include "hanok/kernels/cpu/conv2d/quantized.h"
#include "hanok/kernels/cpu/gemm.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kScratchFloats = 128 * 1024;  // 512 KB
constexpr std::int64_t kMinStripRows = 7;            // of the source

// How a block's work is divided.
struct Cut {
  std::int64_t strips, strip_rows;  // of an image; rows of y
  std::int64_t band_rows;           // of y
  std::int64_t ring_rows;           // source rows of a band

  explicit Cut(const InvertedResidualShape& s) {
    const Conv2dShape depthwise = s.depthwise();
    const std::int64_t p = depthwise.p();
    const std::int64_t wanted = divide_up(kWantedTasks, std::max<std::int64_t>(s.n, 1));
    strips = std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(s.h / kMinStripRows, 1));
    strip_rows = divide_up(p, strips);
    strips = divide_up(p, strip_rows);
    // (band_rows * stride + 2) rows of the ring and band_rows rows of the scratch.
    const std::int64_t ring_row = s.expands ? s.w * s.hidden : 0;
    const std::int64_t scratch_row = depthwise.q() * s.hidden;
    const std::int64_t most = std::max<std::int64_t>(
        (kScratchFloats - 2 * ring_row) / (ring_row * s.stride + scratch_row), 1);
    const std::int64_t bands = divide_up(strip_rows, std::min(most, strip_rows));
    band_rows = divide_up(strip_rows, bands);
    ring_rows = (band_rows - 1) * s.stride + 3;
  }
};

// One convolution's part of a call.
struct Layer {
  const float* packed;
  TileEpilogue epilogue;
  bool int16;  // products of integers
};
struct Layers {
  Layer expand, depthwise, project;
};

// C [pixels, columns] = epilogue(A [pixels, k] * B), block by block of pixels; rows of C start at
// c + offset(pixel).
struct Pointwise {
  const float* a;
  std::int64_t pixels, k, columns;
  bool a_from_memory;
  Layer layer;
};

// A block of A as integers, scales first.
std::int64_t quantized_floats(std::int64_t k) {
  namespace int16 = implicit_gemm_int16;
  return kBlockRows + kBlockRows * int16::q_stride(int16::k_block_size(k)) / 2;
}

// The same with A as integers, which lie in `quantized` block by block.
template <typename Offset>
void multiply_int16(const Int16Kernels& kernels, const Pointwise& g, float* quantized, float* c,
                    const Offset& offset) {
  namespace int16 = implicit_gemm_int16;
  std::array<std::int64_t, kBlockRows> row_offsets;
  const std::int64_t k_block = int16::k_block_size(g.k);
  for (std::int64_t i = 0; i < g.pixels; i += kBlockRows) {
    int16::QuantizedBlock a{};
    a.rows = std::min(kBlockRows, g.pixels - i);
    a.scale = quantized;
    a.q = reinterpret_cast<std::int16_t*>(quantized + kBlockRows);
    for (std::int64_t r = 0; r < a.rows; ++r) {
      row_offsets[static_cast<std::size_t>(r)] = offset(i + r);
    }
    for (a.k0 = 0; a.k0 < g.k; a.k0 += k_block) {
      a.k = std::min(k_block, g.k - a.k0);
      kernels.quantize_rows({.x = g.a + i * g.k + a.k0,
                             .rows = a.rows,
                             .columns = a.k,
                             .x_stride = g.k,
                             .q = a.q,
                             .q_stride = int16::q_stride(a.k),
                             .scale = a.scale,
                             .scale_stride = 1});
      Int16Block block = int16::block_of(a, g.layer.packed, g.k, 0);
      block.columns = g.columns;
      block.c = c;
      block.c_row_offset = row_offsets.data();
      block.epilogue = a.k0 + a.k >= g.k ? &g.layer.epilogue : nullptr;
      quantized::multiply(kernels, block);
    }
  }
}

template <typename Offset>
void multiply(const GemmKernels& kernels, const Pointwise& g, float* c, const Offset& offset) {
  std::array<std::int64_t, kBlockRows> row_offsets;
  const std::int64_t k_block = k_block_size(g.k);
  for (std::int64_t i = 0; i < g.pixels; i += kBlockRows) {
    GemmBlock block{};
    block.rows = std::min(kBlockRows, g.pixels - i);
    block.columns = g.columns;
    block.a_row_stride = g.k;
    block.a_k_stride = 1;
    block.b_panel_stride = g.k * kPanelColumns;
    block.b_k_stride = kPanelColumns;
    block.c = c;
    block.c_row_offset = row_offsets.data();
    block.fetch_a = g.a_from_memory;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      row_offsets[static_cast<std::size_t>(r)] = offset(i + r);
    }
    for (std::int64_t k0 = 0; k0 < g.k; k0 += k_block) {
      block.k = std::min(k_block, g.k - k0);
      block.a = g.a + i * g.k + k0;
      block.b = g.layer.packed + k0 * kPanelColumns;
      block.accumulate = k0 > 0;
      block.epilogue = k0 + block.k >= g.k ? &g.layer.epilogue : nullptr;
      kernels.multiply(block);
    }
  }
}

class Strip {
 public:
  Strip(const IsaKernels& kernels, const InvertedResidualShape& shape, const Cut& cut,
        const Layers& layers, const float* x, float* y)
      : kernels_(kernels),
        shape_(shape),
        cut_(cut),
        layers_(layers),
        x_(x),
        y_(y),
        row_floats_(shape.w * shape.hidden),
        out_width_(shape.depthwise().q()) {
    const std::int64_t ring_floats = shape.expands ? cut.ring_rows * row_floats_ : 0;
    const std::int64_t scratch_floats = round_up(cut.band_rows * out_width_ * shape.hidden, 16);
    const std::int64_t longest = std::max(shape.hidden, shape.expands ? shape.c : 0);
    ring_ = thread_scratch(ring_floats + scratch_floats + quantized_floats(longest));
    scratch_ = ring_ + ring_floats;
    quantized_ = scratch_ + scratch_floats;
  }

  // Rows [begin, end) of y.
  void run(std::int64_t begin, std::int64_t end) {
    expanded_ = std::max<std::int64_t>(begin * shape_.stride - 1, 0);
    for (std::int64_t p = begin; p < end; p += cut_.band_rows) {
      const std::int64_t band_end = std::min(p + cut_.band_rows, end);
      if (shape_.expands) expand(std::min((band_end - 1) * shape_.stride + 2, shape_.h));
      for (std::int64_t i = p; i < band_end; ++i) convolve(i, scratch_ + (i - p) * out_floats());
      project(p, band_end);
    }
  }

 private:
  std::int64_t out_floats() const { return out_width_ * shape_.hidden; }

  const float* source_row(std::int64_t h) const {
    return shape_.expands ? ring_ + h % cut_.ring_rows * row_floats_ : x_ + h * row_floats_;
  }

  // Source rows up to `end` go into the ring.
  void expand(std::int64_t end) {
    const std::int64_t begin = expanded_;
    const Pointwise g{x_ + begin * shape_.w * shape_.c,
                      (end - begin) * shape_.w,
                      shape_.c,
                      shape_.hidden,
                      true,
                      layers_.expand};
    multiply_pointwise(g, ring_, [&](std::int64_t pixel) {
      const std::int64_t h = begin + pixel / shape_.w;
      return h % cut_.ring_rows * row_floats_ + pixel % shape_.w * shape_.hidden;
    });
    expanded_ = end;
  }

  void convolve(std::int64_t p, float* out) const {
    kernels_.depthwise3x3.convolve(
        depthwise::row3x3(shape_.depthwise(), p, layers_.depthwise.packed,
                          [&](std::int64_t h) { return source_row(h); }),
        layers_.depthwise.epilogue, out);
  }

  void project(std::int64_t begin, std::int64_t end) const {
    const std::int64_t at = begin * out_width_ * shape_.k;
    Pointwise g{scratch_,       (end - begin) * out_width_, shape_.hidden, shape_.k, false,
                layers_.project};
    if (g.layer.epilogue.residual) g.layer.epilogue.residual += at;
    multiply_pointwise(g, y_ + at, [&](std::int64_t pixel) { return pixel * shape_.k; });
  }

  template <typename Offset>
  void multiply_pointwise(const Pointwise& g, float* c, const Offset& offset) const {
    if (!g.layer.int16) return multiply(kernels_.gemm, g, c, offset);
    multiply_int16(int16_kernels_for(kernels_), g, quantized_, c, offset);
  }

  const IsaKernels& kernels_;
  const InvertedResidualShape& shape_;
  const Cut& cut_;
  const Layers& layers_;
  const float* x_;  // the image
  float* y_;
  std::int64_t row_floats_;  // of the wide tensor
  std::int64_t out_width_;
  float* ring_;
  float* scratch_;
  float* quantized_;
  std::int64_t expanded_ = 0;  // source rows before this one are in the ring, or were
};

}  // namespace

bool fuses_inverted_residual(const InvertedResidualShape& s) {
  const auto uses_product = [](const Conv2dShape& shape) {
    const Conv2dAlgorithm algorithm = choose_conv2d(Conv2dPass::Forward, shape);
    return algorithm == Conv2dAlgorithm::ImplicitGemm ||
           algorithm == Conv2dAlgorithm::ImplicitGemmInt16;
  };
  if (s.expands && !uses_product(s.expand())) return false;
  if (choose_conv2d(Conv2dPass::Forward, s.depthwise()) != Conv2dAlgorithm::Depthwise) return false;
  if (!uses_product(s.project())) return false;
  // A single task would leave the other threads idle.
  return s.stride <= 2 && s.n * Cut(s).strips >= 2;
}

void run(const Call& call, const InvertedResidual& op) {
  const InvertedResidualShape& shape = op.shape;
  Workspace::Scope scope(call.ctx.workspace);
  const auto layer = [&](const Conv2dShape& conv, const FusedConvolution& given) {
    Layer made{static_cast<const float*>(given.packed), tile_epilogue(given.epilogue),
               choose_conv2d(Conv2dPass::Forward, conv) == Conv2dAlgorithm::ImplicitGemmInt16};
    if (!made.packed) {
      void* packed = scope.take(conv2d_packed_bytes(call.isa, Conv2dPass::Forward, conv));
      run(call,
          Conv2dPack{.pass = Conv2dPass::Forward, .shape = conv, .w = given.w, .packed = packed});
      made.packed = static_cast<const float*>(packed);
    }
    return made;
  };
  const Layers layers = {shape.expands ? layer(shape.expand(), op.expand) : Layer{},
                         layer(shape.depthwise(), op.depthwise),
                         layer(shape.project(), op.project)};
  const IsaKernels& kernels = kernels_of(call.isa);
  const Cut cut(shape);
  const Conv2dShape project = shape.project();
  call.ctx.pool.run(shape.n * cut.strips, [&](std::int64_t task) {
    const std::int64_t n = task / cut.strips;
    const std::int64_t begin = task % cut.strips * cut.strip_rows;
    const std::int64_t image = n * project.h * project.w * shape.k;
    Layers here = layers;
    if (here.project.epilogue.residual) here.project.epilogue.residual += image;
    Strip strip(kernels, shape, cut, here, op.x.f32() + n * shape.h * shape.w * shape.c,
                op.y.f32() + image);
    strip.run(begin, std::min(begin + cut.strip_rows, project.h));
  });
}

}  // namespace hanok::cpu
