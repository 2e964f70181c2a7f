// Common parts of the descriptions of primitives.
//
// A primitive is what a device computes in one call of its backend. Its description is a plain
// struct that holds the call's operands (views) and parameters, and declares
//
//   kName                the name in messages and profiles: "topk"
//   operands(op, visit)  for each operand: whether the call reads, writes or updates it, and the
//                        type of its elements. `op` is the struct, const or not; a visitor may
//                        replace the views of a copy
//   flop()               arithmetic of the formula: a multiply-add counts two, every other
//                        operation on an element one
//   shape_text()         sizes of the main operand, for profiles
//
// and, where there is more to say,
//
//   bytes(backend)       memory traffic, where it is not the sum over the operands
//   variant(backend)     the kind of an elementwise op; the algorithm of a convolution
//   kUpdatesParameters   true for an optimiser's step, which profiles list apart
//
// Type checks (operand_types.h), the profiler and the tests' copies to a device are written once
// for all descriptions.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include "hanok/kernels/base/view.h"

#pragma GCC visibility push(default)
namespace hanok {

class Backend;
struct ExecContext;
namespace cpu {
struct Call;  // kernels/cpu/call.h
}

/// What a call does with an operand. Update: reads it, then writes it.
enum class Access { Read, Write, Update };

/// The type that an operand's elements must have.
enum class Elements {
  Data,        // what the primitive computes with: f32; on CUDA all f32, all f16 or all bf16
  DataOrF32,   // the same, or f32
  DataOrBf16,  // the same or, on the CPU, bf16: what is kept for a backward pass
  F32,
  I64,
  U8,
  Alike,    // any type, the same for all operands of the call that say so
  Any,      // any type
  Targets,  // i64 class numbers or f32 probabilities
};

/// What operands() calls for each operand, views of either kind. Undefined views are skipped.
template <typename Function>
class OperandVisitor {
 public:
  explicit OperandVisitor(const Function& function) : function_(function) {}
  void reads(auto& view, Elements elements = Elements::Data) const {
    visit(view, Access::Read, elements);
  }
  void writes(auto& view, Elements elements = Elements::Data) const {
    visit(view, Access::Write, elements);
  }
  void updates(auto& view, Elements elements = Elements::Data) const {
    visit(view, Access::Update, elements);
  }

 private:
  void visit(auto& view, Access access, Elements elements) const {
    if (view.data != nullptr) function_(view, access, elements);
  }
  const Function& function_;
};

/// Calls function(view, access, elements) for each defined operand of a description.
template <typename Op, typename Function>
void for_each_operand(Op& op, const Function& function) {
  Op::operands(op, OperandVisitor<Function>(function));
}

/// A dense operand seen along one dimension, in memory order: [outer, length, inner].
struct Lanes {
  std::int64_t outer = 1, length = 0, inner = 1;
};

// ---- costs ----

inline double count_of(const ConstView& view) {
  return view.defined() ? static_cast<double>(view.numel()) : 0;
}

inline double bytes_of(const ConstView& view) {
  return count_of(view) * static_cast<double>(size_of(view.dtype));
}

/// A broadcast operand counts with its size in memory.
inline double bytes_of(const StridedConstView& view) {
  double count = 1;
  for (int dim = 0; dim < view.sizes.rank(); ++dim) {
    if (view.strides[dim] != 0) count *= static_cast<double>(view.sizes[dim]);
  }
  return count * static_cast<double>(size_of(view.dtype));
}

/// Memory traffic of a call: each operand counts once for reading, once for writing.
template <typename Op>
double traffic_of(const Op& op, const Backend& backend) {
  if constexpr (requires { op.bytes(backend); }) {
    return op.bytes(backend);
  } else {
    double bytes = 0;
    for_each_operand(op, [&](const auto& view, Access access, Elements) {
      bytes += (access == Access::Update ? 2 : 1) * bytes_of(view);
    });
    return bytes;
  }
}

/// Empty where there is only one.
template <typename Op>
std::string variant_of(const Op& op, const Backend& backend) {
  if constexpr (requires { op.variant(backend); }) {
    return op.variant(backend);
  } else {
    return {};
  }
}

/// The members that every description has.
template <typename Op>
concept Primitive = requires(const Op& op) {
  { Op::kName } -> std::convertible_to<const char*>;
  { op.flop() } -> std::same_as<double>;
  { op.shape_text() } -> std::convertible_to<std::string>;
};

}  // namespace hanok
#pragma GCC visibility pop
