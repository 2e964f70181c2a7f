// The element types of a primitive's operands, checked the same way by every backend.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/base/error.h"

namespace hanok {

/// What a backend inherits to check its operands; each function throws DTypeError. Undefined views
/// are skipped.
class OperandTypes {
 protected:
  /// `computer`: "the CPU", as messages name the backend.
  explicit OperandTypes(const char* computer) : computer_(computer) {}

  void require(const char* op, DType expected, DType found) const {
    if (found != expected) {
      throw DTypeError(std::string(op) + ": " + computer_ + " computes this in " +
                       name_of(expected) + ", not in " + name_of(found));
    }
  }

  void require(const char* op, DType expected, std::initializer_list<ConstView> views) const {
    for (const ConstView& view : views) {
      if (view.defined()) require(op, expected, view.dtype);
    }
  }

  void require_f32(const char* op, std::initializer_list<ConstView> views) const {
    require(op, DType::F32, views);
  }

  void require_f32_epilogue(const char* op, const Epilogue& e) const {
    require_f32(op, {e.scale, e.shift, e.residual, e.bn_mean_var});
  }

  /// All of one type.
  void require_alike(const char* op, std::initializer_list<ConstView> views) const {
    const ConstView* first = nullptr;
    for (const ConstView& view : views) {
      if (!view.defined()) continue;
      if (first == nullptr) first = &view;
      if (view.dtype != first->dtype) {
        throw DTypeError(std::string(op) + ": operands are " + name_of(first->dtype) + " and " +
                         name_of(view.dtype) + "; they must be of one type");
      }
    }
  }

  void require_cross_entropy(const char* op, const CrossEntropy& loss) const {
    require_f32(op, {loss.logits, loss.class_weights});
    if (loss.targets.dtype != DType::I64 && loss.targets.dtype != DType::F32) {
      throw DTypeError(std::string(op) + ": targets are i64 class numbers or f32 probabilities, " +
                       "not " + name_of(loss.targets.dtype));
    }
  }

  /// `step`: SgdStep or AdamStep.
  template <typename Step>
  void require_optimizer_step(const char* op, const Step& step,
                              const std::vector<OptimizerSlot>& slots) const {
    require_f32(op, {step.learning_rate, step.skip});
    require(op, DType::I64, {step.step});
    for (const OptimizerSlot& slot : slots) {
      require_f32(op, {slot.parameter, slot.gradient, slot.state_a, slot.state_b});
    }
  }

 private:
  const char* computer_;
};

}  // namespace hanok
