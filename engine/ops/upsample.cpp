// Resizing of images.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"

namespace hanok::ops {

namespace {

// Both kinds of interpolation are linear and separable: for each image and channel
//   Y = A X B^T    [P,Q] = [P,H] [H,W] [W,Q]
// where row p of A holds the weights of output row p (one 1 for the nearest pixel, two weights that
// sum to 1 for the linear one), likewise B for columns.
//   dX = A^T dY B

/// Out [outer,to,inner] = A [to,from] times X [outer,from,inner], or A^T, A stored [from,to].
void apply_along(const Tensor& a, bool transposed, std::int64_t outer, std::int64_t from,
                 std::int64_t to, std::int64_t inner, const Tensor& x, Tensor& out) {
  GemmShape gemm;
  gemm.m = to;
  gemm.n = inner;
  gemm.k = from;
  gemm.transpose_a = transposed;
  gemm.lda = transposed ? to : from;
  gemm.ldb = inner;
  gemm.ldc = inner;
  gemm.batch = outer;
  gemm.stride_b = from * inner;
  gemm.stride_c = to * inner;
  const Target target(x);
  target.run(Gemm{.shape = gemm, .a = a.view(), .b = x.view(), .c = out.mutable_view()});
}

class ResampleNode final : public Node {
 public:
  ResampleNode(const char* name, const Shape& input, const Tensor& rows, const Tensor& columns)
      : name_(name), input_(input), rows_(rows), columns_(columns) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(const Tensor& dy) override {
    const std::int64_t n = input_[0], c = input_[1], h = input_[2], w = input_[3];
    const std::int64_t p = dy.size(2), q = dy.size(3);
    Tensor between = empty_on(dy, {n, c, p, w});
    apply_along(columns_.get(name_), true, n * p, q, w, c, dy, between);
    Tensor dx = empty_on(dy, input_);
    apply_along(rows_.get(name_), true, n, p, h, w * c, between, dx);
    return {dx};
  }
  void release_saved() override {
    rows_.release();
    columns_.release();
  }

 private:
  const char* name_;
  Shape input_;
  SavedTensor rows_, columns_;
};

/// X [N,C,H,W], rows [P,H], columns [Q,W] -> [N,C,P,Q].
Tensor resample(const char* name, const Tensor& x, const Tensor& rows, const Tensor& columns) {
  if (is_half(x)) {
    return through_f32(x, [&](const Tensor& f) { return resample(name, f, rows, columns); });
  }
  const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const std::int64_t p = rows.size(0), q = columns.size(0);
  Tensor between = empty_on(x, {n, c, p, w});
  apply_along(rows, false, n, h, p, w * c, x, between);
  Tensor y = empty_on(x, {n, c, p, q});
  apply_along(columns, false, n * p, w, q, c, between, y);
  if (any_requires_grad({x})) {
    auto node = std::make_shared<ResampleNode>(name, x.shape(), rows, columns);
    set_inputs(*node, {x});
    record(y, std::move(node));
  }
  return y;
}

void check_resample(const char* op, const Tensor& x, std::int64_t out_h, std::int64_t out_w,
                    double scale) {
  check_activations(op, {{"input", x}});
  if (x.rank() != 4) throw_shape_error(op, "expected an input [N,C,H,W]", {{"input", x}});
  if (out_h < 1 || out_w < 1 || x.size(2) < 1 || x.size(3) < 1) {
    throw_value_error(op, fmt::format("cannot resize to {}x{} pixels", out_h, out_w),
                      {{"input", x}});
  }
  if (!(scale >= 0 && std::isfinite(scale))) {
    throw_value_error(op, fmt::format("scale is {}, expected a positive number", scale),
                      {{"input", x}});
  }
}

Tensor nearest_weights(std::int64_t from, std::int64_t to, double scale, Device device) {
  std::vector<float> weights(static_cast<std::size_t>(from * to), 0);
  const auto step = static_cast<float>(1 / scale);  // PyTorch places pixels in single precision
  for (std::int64_t i = 0; i < to; ++i) {
    const std::int64_t nearest =
        scale > 0 ? static_cast<std::int64_t>(std::floor(static_cast<float>(i) * step))
                  : i * from / to;
    weights[static_cast<std::size_t>(i * from + std::min(nearest, from - 1))] = 1;
  }
  return Tensor::from_vector(weights, {to, from}).to(device);
}

Tensor linear_weights(std::int64_t from, std::int64_t to, bool align_corners, double scale,
                      Device device) {
  const double step = scale > 0 ? 1 / scale : static_cast<double>(from) / static_cast<double>(to);
  std::vector<float> weights(static_cast<std::size_t>(from * to), 0);
  for (std::int64_t i = 0; i < to; ++i) {
    double position = 0;
    if (align_corners) {
      position = to > 1 ? static_cast<double>(i * (from - 1)) / static_cast<double>(to - 1) : 0;
    } else {
      position = (static_cast<double>(i) + 0.5) * step - 0.5;
    }
    position = std::clamp(position, 0.0, static_cast<double>(from - 1));
    const auto below = static_cast<std::int64_t>(position);
    const double share = position - static_cast<double>(below);
    float* row = weights.data() + i * from;
    row[below] += static_cast<float>(1 - share);
    if (share > 0) row[below + 1] += static_cast<float>(share);
  }
  return Tensor::from_vector(weights, {to, from}).to(device);
}

}  // namespace

Tensor upsample_nearest2d(const Tensor& x, std::int64_t out_h, std::int64_t out_w, double scale) {
  check_resample("upsample_nearest2d", x, out_h, out_w, scale);
  return resample("upsample_nearest2d", x, nearest_weights(x.size(2), out_h, scale, x.device()),
                  nearest_weights(x.size(3), out_w, scale, x.device()));
}

Tensor upsample_bilinear2d(const Tensor& x, std::int64_t out_h, std::int64_t out_w,
                           bool align_corners, double scale) {
  check_resample("upsample_bilinear2d", x, out_h, out_w, scale);
  return resample("upsample_bilinear2d", x,
                  linear_weights(x.size(2), out_h, align_corners, scale, x.device()),
                  linear_weights(x.size(3), out_w, align_corners, scale, x.device()));
}

}  // namespace hanok::ops
