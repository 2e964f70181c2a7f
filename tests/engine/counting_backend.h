// A backend that passes every call on and counts it by name.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "engine/runtime.h"
#include "kernels/backend.h"

namespace hanok::testing {

class CountingBackend final : public Backend {
 public:
  CountingBackend(std::unique_ptr<Backend> inner, std::map<std::string, int>* counts)
      : inner_(std::move(inner)), counts_(counts) {}
  void set_inner(std::unique_ptr<Backend> inner) { inner_ = std::move(inner); }
  std::unique_ptr<Backend> take_inner() { return std::move(inner_); }

  Device device() const override { return inner_->device(); }
  const char* name() const override { return inner_->name(); }
  bool fuses_relu6() const override { return inner_->fuses_relu6(); }
  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_workspace_bytes(pass, shape);
  }
  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_algorithm(pass, shape);
  }
  std::size_t conv2d_packed_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_packed_bytes(pass, shape);
  }
  void fill(ExecContext& context, View out, double value) override {
    ++(*counts_)["fill"];
    inner_->fill(context, out, value);
  }
  void strided_copy(ExecContext& context, StridedView dst, StridedConstView src) override {
    ++(*counts_)["strided_copy"];
    inner_->strided_copy(context, dst, src);
  }
  void cast(ExecContext& context, View dst, ConstView src) override {
    ++(*counts_)["cast"];
    inner_->cast(context, dst, src);
  }
  void normalize_u8(ExecContext& context, ConstView x, ConstView mean, ConstView stddev,
                    View y) override {
    ++(*counts_)["normalize_u8"];
    inner_->normalize_u8(context, x, mean, stddev, y);
  }
  void random_uniform(ExecContext& context, const RandomCall& call, float low, float high,
                      View out) override {
    ++(*counts_)["random_uniform"];
    inner_->random_uniform(context, call, low, high, out);
  }
  void random_normal(ExecContext& context, const RandomCall& call, float mean, float stddev,
                     View out) override {
    ++(*counts_)["random_normal"];
    inner_->random_normal(context, call, mean, stddev, out);
  }
  void dropout(ExecContext& context, const RandomCall& call, float p, ConstView x,
               View y) override {
    ++(*counts_)["dropout"];
    inner_->dropout(context, call, p, x, y);
  }
  void unary(ExecContext& context, UnaryOp op, UnaryParams params, ConstView x, View y) override {
    ++(*counts_)["unary"];
    inner_->unary(context, op, params, x, y);
  }
  void unary_backward(ExecContext& context, UnaryOp op, UnaryParams params, ConstView x,
                      ConstView y, ConstView dy, View dx) override {
    ++(*counts_)["unary_backward"];
    inner_->unary_backward(context, op, params, x, y, dy, dx);
  }
  void binary(ExecContext& context, BinaryOp op, StridedConstView a, StridedConstView b,
              View out) override {
    ++(*counts_)["binary"];
    inner_->binary(context, op, a, b, out);
  }
  void add_scaled(ExecContext& context, float alpha, ConstView x, View y) override {
    ++(*counts_)["add_scaled"];
    inner_->add_scaled(context, alpha, x, y);
  }
  void reduce(ExecContext& context, ReduceOp op, StridedConstView x, std::uint32_t dims,
              View out) override {
    ++(*counts_)["reduce"];
    inner_->reduce(context, op, x, dims, out);
  }
  void max_along(ExecContext& context, ConstView x, std::int64_t outer, std::int64_t length,
                 std::int64_t inner, View values, View indices) override {
    ++(*counts_)["max_along"];
    inner_->max_along(context, x, outer, length, inner, values, indices);
  }
  void scatter_along(ExecContext& context, ConstView dy, ConstView indices, std::int64_t outer,
                     std::int64_t length, std::int64_t inner, View dx) override {
    ++(*counts_)["scatter_along"];
    inner_->scatter_along(context, dy, indices, outer, length, inner, dx);
  }
  void topk(ExecContext& context, ConstView x, std::int64_t outer, std::int64_t length,
            std::int64_t inner, std::int64_t k, View values, View indices) override {
    ++(*counts_)["topk"];
    inner_->topk(context, x, outer, length, inner, k, values, indices);
  }
  void select(ExecContext& context, StridedConstView condition, StridedConstView a,
              StridedConstView b, View out) override {
    ++(*counts_)["select"];
    inner_->select(context, condition, a, b, out);
  }
  void gather(ExecContext& context, const GatherShape& shape, ConstView x, ConstView indices,
              View y) override {
    ++(*counts_)["gather"];
    inner_->gather(context, shape, x, indices, y);
  }
  void gather_backward(ExecContext& context, const GatherShape& shape, ConstView dy,
                       ConstView indices, View dx) override {
    ++(*counts_)["gather_backward"];
    inner_->gather_backward(context, shape, dy, indices, dx);
  }
  void l2_norm(ExecContext& context, const std::vector<ConstView>& xs, View out) override {
    ++(*counts_)["l2_norm"];
    inner_->l2_norm(context, xs, out);
  }
  void gemm(ExecContext& context, const GemmShape& call, ConstView a, ConstView b,
            const Epilogue& epilogue, View c) override {
    ++(*counts_)["gemm"];
    inner_->gemm(context, call, a, b, epilogue, c);
  }
  void conv2d_pack(ExecContext& context, Conv2dPass pass, const Conv2dShape& shape, ConstView w,
                   void* packed) override {
    ++(*counts_)["conv2d_pack"];
    inner_->conv2d_pack(context, pass, shape, w, packed);
  }
  void conv2d_forward(ExecContext& context, const Conv2dShape& call, ConstView x, ConstView w,
                      const void* packed, const Epilogue& epilogue, View y) override {
    ++(*counts_)["conv2d_forward"];
    inner_->conv2d_forward(context, call, x, w, packed, epilogue, y);
  }
  void conv2d_backward_data(ExecContext& context, const Conv2dShape& call, ConstView dy,
                            ConstView w, const void* packed, View dx) override {
    ++(*counts_)["conv2d_backward_data"];
    inner_->conv2d_backward_data(context, call, dy, w, packed, dx);
  }
  void conv2d_backward_weights(ExecContext& context, const Conv2dShape& call, ConstView x,
                               ConstView dy, View dw) override {
    ++(*counts_)["conv2d_backward_weights"];
    inner_->conv2d_backward_weights(context, call, x, dy, dw);
  }
  void sum_rows(ExecContext& context, ConstView x, std::int64_t rows, std::int64_t channels,
                View out) override {
    ++(*counts_)["sum_rows"];
    inner_->sum_rows(context, x, rows, channels, out);
  }
  void batch_norm_statistics(ExecContext& context, ConstView x, std::int64_t rows,
                             std::int64_t channels, View mean_var) override {
    ++(*counts_)["batch_norm_statistics"];
    inner_->batch_norm_statistics(context, x, rows, channels, mean_var);
  }
  void batch_norm_apply(ExecContext& context, const BatchNormApply& call) override {
    ++(*counts_)["batch_norm_apply"];
    inner_->batch_norm_apply(context, call);
  }
  void batch_norm_backward(ExecContext& context, const BatchNormBackward& call) override {
    ++(*counts_)["batch_norm_backward"];
    inner_->batch_norm_backward(context, call);
  }
  void softmax(ExecContext& context, bool log, ConstView x, std::int64_t outer, std::int64_t length,
               std::int64_t inner, View y) override {
    ++(*counts_)["softmax"];
    inner_->softmax(context, log, x, outer, length, inner, y);
  }
  void softmax_backward(ExecContext& context, bool log, ConstView y, ConstView dy,
                        std::int64_t outer, std::int64_t length, std::int64_t inner,
                        View dx) override {
    ++(*counts_)["softmax_backward"];
    inner_->softmax_backward(context, log, y, dy, outer, length, inner, dx);
  }
  void cross_entropy(ExecContext& context, const CrossEntropy& call, View losses,
                     View weights) override {
    ++(*counts_)["cross_entropy"];
    inner_->cross_entropy(context, call, losses, weights);
  }
  void cross_entropy_backward(ExecContext& context, const CrossEntropy& call, ConstView scale,
                              View dlogits) override {
    ++(*counts_)["cross_entropy_backward"];
    inner_->cross_entropy_backward(context, call, scale, dlogits);
  }
  void max_pool2d(ExecContext& context, const Pool2dShape& call, ConstView x, View y,
                  View indices) override {
    ++(*counts_)["max_pool2d"];
    inner_->max_pool2d(context, call, x, y, indices);
  }
  void max_pool2d_backward(ExecContext& context, const Pool2dShape& call, ConstView dy,
                           ConstView indices, View dx) override {
    ++(*counts_)["max_pool2d_backward"];
    inner_->max_pool2d_backward(context, call, dy, indices, dx);
  }
  void avg_pool2d(ExecContext& context, const Pool2dShape& call, ConstView x, View y) override {
    ++(*counts_)["avg_pool2d"];
    inner_->avg_pool2d(context, call, x, y);
  }
  void avg_pool2d_backward(ExecContext& context, const Pool2dShape& call, ConstView dy,
                           View dx) override {
    ++(*counts_)["avg_pool2d_backward"];
    inner_->avg_pool2d_backward(context, call, dy, dx);
  }
  void adaptive_avg_pool2d(ExecContext& context, ConstView x, View y) override {
    ++(*counts_)["adaptive_avg_pool2d"];
    inner_->adaptive_avg_pool2d(context, x, y);
  }
  void adaptive_avg_pool2d_backward(ExecContext& context, ConstView dy, View dx) override {
    ++(*counts_)["adaptive_avg_pool2d_backward"];
    inner_->adaptive_avg_pool2d_backward(context, dy, dx);
  }
  void sgd_step(ExecContext& context, const SgdStep& call,
                const std::vector<OptimizerSlot>& slots) override {
    ++(*counts_)["sgd_step"];
    inner_->sgd_step(context, call, slots);
  }
  void adam_step(ExecContext& context, const AdamStep& call,
                 const std::vector<OptimizerSlot>& slots) override {
    ++(*counts_)["adam_step"];
    inner_->adam_step(context, call, slots);
  }

 private:
  std::unique_ptr<Backend> inner_;
  std::map<std::string, int>* counts_;
};

/// Counts kernel calls on the CPU while it lives.
class KernelCounter {
 public:
  KernelCounter() {
    // The real backend is only reachable by putting another in its place, so the counter goes in
    // empty and gets it afterwards.
    auto counting = std::make_unique<CountingBackend>(nullptr, &counts_);
    counting_ = counting.get();
    counting_->set_inner(exchange_backend(Device::cpu(), std::move(counting)));
  }
  ~KernelCounter() { exchange_backend(Device::cpu(), counting_->take_inner()); }
  KernelCounter(const KernelCounter&) = delete;
  KernelCounter& operator=(const KernelCounter&) = delete;

  int operator[](const std::string& name) const {
    const auto found = counts_.find(name);
    return found == counts_.end() ? 0 : found->second;
  }
  const std::map<std::string, int>& counts() const { return counts_; }
  void reset() { counts_.clear(); }

 private:
  std::map<std::string, int> counts_;
  CountingBackend* counting_;
};

}  // namespace hanok::testing
