// Matrix products.
#include <fmt/format.h>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"

namespace hanok::ops {

namespace {

// ---- matmul: Y = A B; dA = dY B^T, dB = A^T dY, for each matrix of the batch ----

/// Dense row-major operands: op(A) [m,k] times op(B) [k,n], `batch` of them one after the other.
void dense_gemm(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, const Tensor& a,
                bool transpose_a, const Tensor& b, bool transpose_b, const Epilogue& epilogue,
                Tensor& c) {
  GemmShape gemm;
  gemm.m = m;
  gemm.n = n;
  gemm.k = k;
  gemm.transpose_a = transpose_a;
  gemm.transpose_b = transpose_b;
  gemm.lda = transpose_a ? m : k;
  gemm.ldb = transpose_b ? k : n;
  gemm.ldc = n;
  gemm.batch = batch;
  gemm.stride_a = m * k;
  gemm.stride_b = k * n;
  gemm.stride_c = m * n;
  const Target target(c);
  target.run(Gemm{
      .shape = gemm, .a = a.view(), .b = b.view(), .epilogue = epilogue, .c = c.mutable_view()});
}

class MatmulNode final : public Node {
 public:
  MatmulNode(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k)
      : batch_(batch), m_(m), n_(n), k_(k) {}
  const char* name() const override { return "matmul"; }
  void save(const Tensor& a, const Tensor& b) {
    shape_a_ = a.shape();
    shape_b_ = b.shape();
    if (needs(1)) a_ = a;
    if (needs(0)) b_ = b;
  }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor da, db;
    if (needs(0)) {
      da = empty_on(dy, shape_a_, dy.dtype());
      dense_gemm(batch_, m_, k_, n_, dy, false, b_.get(name()), true, {}, da);
    }
    if (needs(1)) {
      db = empty_on(dy, shape_b_, dy.dtype());
      dense_gemm(batch_, k_, n_, m_, a_.get(name()), true, dy, false, {}, db);
    }
    return {da, db};
  }
  void release_saved() override {
    a_.release();
    b_.release();
  }

 private:
  std::int64_t batch_, m_, n_, k_;
  Shape shape_a_, shape_b_;
  SavedTensor a_, b_;
};

// ---- linear: y = x w^T + b; dx = dy w, dw = dy^T x, db = sum of dy over rows ----
// dw and db are f32 whatever x, y and their gradients are.

class LinearNode final : public Node {
 public:
  LinearNode(std::int64_t rows, std::int64_t in, std::int64_t out)
      : rows_(rows), in_(in), out_(out) {}
  const char* name() const override { return "linear"; }
  void save(const Tensor& x, const Tensor& weight) {
    if (needs(1)) x_ = x;
    if (needs(0)) weight_ = weight;
  }
  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx, dw, db;
    if (needs(0)) {
      dx = empty_on(dy, {rows_, in_}, dy.dtype());
      dense_gemm(1, rows_, in_, out_, dy, false, weight_.get(name()), false, {}, dx);
    }
    if (needs(1)) {
      const ShortLived lasting(false);
      dw = empty_on(dy, {out_, in_});
      dense_gemm(1, out_, in_, rows_, dy, true, x_.get(name()), false, {}, dw);
    }
    if (needs(2)) {
      db = empty_on(dy, {out_});
      const Target target(dy);
      target.run(
          SumRows{.x = dy.view(), .rows = rows_, .channels = out_, .out = db.mutable_view()});
    }
    return {dx, dw, db};
  }
  void release_saved() override {
    x_.release();
    weight_.release();
  }

 private:
  std::int64_t rows_, in_, out_;
  SavedTensor x_, weight_;
};

}  // namespace

Tensor matmul(const Tensor& left, const Tensor& right) {
  const Tensor a = in_compute_type("matmul", left);
  const Tensor b = in_compute_type("matmul", right);
  check_activations("matmul", {{"a", a}, {"b", b}});
  const int rank = a.rank();
  if (rank != b.rank() || (rank != 2 && rank != 3)) {
    throw_shape_error("matmul", "expected two matrices or two batches of matrices",
                      {{"a", a}, {"b", b}});
  }
  const std::int64_t batch = rank == 3 ? a.size(0) : 1;
  if (rank == 3 && b.size(0) != batch) {
    throw_shape_error("matmul", fmt::format("a holds {} matrices, b {}", batch, b.size(0)),
                      {{"a", a}, {"b", b}});
  }
  const std::int64_t m = a.size(-2);
  const std::int64_t k = a.size(-1);
  const std::int64_t n = b.size(-1);
  if (b.size(-2) != k) {
    throw_shape_error("matmul", fmt::format("a has {} columns, b {} rows", k, b.size(-2)),
                      {{"a", a}, {"b", b}});
  }

  Tensor y = empty_on(a, rank == 3 ? Shape{batch, m, n} : Shape{m, n}, a.dtype());
  dense_gemm(batch, m, n, k, a, false, b, false, {}, y);
  if (any_requires_grad({a, b})) {
    auto node = std::make_shared<MatmulNode>(batch, m, n, k);
    set_inputs(*node, {a, b});
    node->save(a, b);
    record(y, std::move(node));
  }
  return y;
}

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const Tensor x = in_compute_type("linear", input);
  check_product("linear", x, {{"input", x}, {"weight", weight}, {"bias", bias, true}});
  const auto fail = [&](const std::string& what) {
    throw_shape_error("linear", what, {{"input", x}, {"weight", weight}, {"bias", bias}});
  };
  if (x.rank() != 2 || weight.rank() != 2) fail("expected input [N,I] and weight [O,I]");
  const std::int64_t rows = x.size(0);
  const std::int64_t in = weight.size(1);
  const std::int64_t out = weight.size(0);
  if (x.size(1) != in) fail(fmt::format("input has {} features, weight expects {}", x.size(1), in));
  if (bias.defined() && bias.shape() != Shape{out}) {
    fail(fmt::format("bias must have the weight's {} outputs", out));
  }

  const Tensor w = weight_in_compute_type(weight);
  Tensor y = empty_on(x, {rows, out}, x.dtype());
  Epilogue epilogue;
  epilogue.shift = view_or_none(bias);
  dense_gemm(1, rows, out, in, x, false, w, true, epilogue, y);
  if (any_requires_grad({x, weight, bias})) {
    auto node = std::make_shared<LinearNode>(rows, in, out);
    set_inputs(*node, {x, weight, bias});
    node->save(x, w);
    record(y, std::move(node));
  }
  return y;
}

}  // namespace hanok::ops
