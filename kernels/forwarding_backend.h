// A backend that stands in front of another: it passes every call on, and a class derived from it
// adds to some of them (a profiler records, a bench measures, a test moves memory).
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "hanok/kernels/backend.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Everything but run(). `Derived` writes
///   template <Primitive Op> void each(ExecContext&, const Op&);
/// which passes primitives on through inner().run(context, op), and may override the rest.
template <typename Derived>
class ForwardingBackend : public EachPrimitive<Derived> {
 public:
  /// Without one, nothing may be called.
  explicit ForwardingBackend(std::unique_ptr<Backend> inner = nullptr) : inner_(std::move(inner)) {}
  void set_inner(std::unique_ptr<Backend> inner) { inner_ = std::move(inner); }
  std::unique_ptr<Backend> take_inner() { return std::move(inner_); }

  Device device() const override { return inner_->device(); }
  const char* name() const override { return inner_->name(); }
  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_workspace_bytes(pass, shape);
  }
  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_algorithm(pass, shape);
  }
  std::size_t conv2d_packed_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_packed_bytes(pass, shape);
  }
  Conv2dPackKey conv2d_pack_key(Conv2dPass pass, const Conv2dShape& shape) const override {
    return inner_->conv2d_pack_key(pass, shape);
  }
  bool conv2d_stores_bf16(const Conv2dShape& shape) const override {
    return inner_->conv2d_stores_bf16(shape);
  }
  bool fuses_relu6() const override { return inner_->fuses_relu6(); }
  bool fuses_inverted_residual(const InvertedResidualShape& shape) const override {
    return inner_->fuses_inverted_residual(shape);
  }
  bool fuses_batch_norm_max_pool() const override { return inner_->fuses_batch_norm_max_pool(); }

 protected:
  Backend& inner() const { return *inner_; }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace hanok
#pragma GCC visibility pop
