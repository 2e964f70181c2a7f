// The seam between the engine and the devices is this interface: one abstract class, one virtual
// call per primitive.
//
// Each primitive is described by a plain struct in kernels/primitives/: its operands, its formula,
// its cost. `backend.run(context, TopK{...})` computes it.
//
// Rules that hold for every primitive:
// - Views are dense (view.h): rank 4 lies in memory as N,H,W,C. Outputs are allocated by the caller
//   and never alias inputs unless the description allows it ("in place").
// - Arguments were checked by engine/ops; a backend throws only for unsupported types (DTypeError),
//   lack of memory (OutOfMemory) and, on the CPU, a target beyond the classes (ValueError).
// - Results are the same bits for any thread count and for every run on the same instruction-set
//   path.
// - Values that change from step to step (learning rate, counters) are one-element tensors on the
//   device, never host scalars, so that a captured step can be replayed.
//
// Adding a primitive: describe it in the header of its family, name it in the list below, write its
// kernels in the family's files of kernels/cpu and kernels/cuda/ops, run it from one file of
// engine/ops, test it in tests/kernels. If a part is missing, the build or a test fails and names
// it.
#pragma once

#include <cstddef>

#include "hanok/kernels/base/device.h"
#include "hanok/kernels/exec_context.h"
#include "hanok/kernels/primitives/batch_norm.h"
#include "hanok/kernels/primitives/conv2d.h"
#include "hanok/kernels/primitives/elementwise.h"
#include "hanok/kernels/primitives/gemm.h"
#include "hanok/kernels/primitives/index.h"
#include "hanok/kernels/primitives/layout.h"
#include "hanok/kernels/primitives/loss_scale.h"
#include "hanok/kernels/primitives/optimizer_step.h"
#include "hanok/kernels/primitives/pool.h"
#include "hanok/kernels/primitives/random.h"
#include "hanok/kernels/primitives/reduce.h"
#include "hanok/kernels/primitives/softmax_cross_entropy.h"

#pragma GCC visibility push(default)
namespace hanok {

template <typename...>
struct PrimitiveList {};

using Primitives =
    PrimitiveList<Fill, StridedCopy, Cast, NormalizeU8, RandomUniform, RandomNormal, Dropout, Unary,
                  UnaryBackward, Binary, Prelu, PreluBackward, AddScaled, Reduce, MaxAlong,
                  ScatterAlong, L2Norm, Select, Gather, GatherBackward, TopK, Gemm, SumRows,
                  Conv2dPack, Conv2dForward, Conv2dBackwardData, Conv2dBackwardWeights,
                  InvertedResidual, BatchNormStatistics, BatchNormApply, BatchNormBackward,
                  BatchNormMaxPool, BatchNormMaxPoolBackward, Softmax, SoftmaxBackward,
                  CrossEntropy, CrossEntropyBackward, MaxPool2d, MaxPool2dBackward, AvgPool2d,
                  AvgPool2dBackward, AdaptiveAvgPool2d, AdaptiveAvgPool2dBackward, SgdStep,
                  AdamStep, Unscale, UpdateLossScale>;

/// One pure virtual function run(context, op) for each primitive of the list: a class for the first
/// one, derived from the class for the others.
template <typename List>
class RunsEach;
template <typename Last>
class RunsEach<PrimitiveList<Last>> {
 public:
  static_assert(Primitive<Last>, "this description is incomplete; see primitives/primitive.h");
  virtual ~RunsEach() = default;
  virtual void run(ExecContext&, const Last&) = 0;
};
template <typename First, typename... Others>
class RunsEach<PrimitiveList<First, Others...>> : public RunsEach<PrimitiveList<Others...>> {
 public:
  static_assert(Primitive<First>, "this description is incomplete; see primitives/primitive.h");
  using RunsEach<PrimitiveList<Others...>>::run;
  virtual void run(ExecContext&, const First&) = 0;
};

class Backend : public RunsEach<Primitives> {
 public:
  virtual Device device() const = 0;
  /// The instruction-set path or device name, e.g. "avx2", "portable": part of what results depend
  /// on.
  virtual const char* name() const = 0;

  // ---- what the device chooses for a convolution ----
  /// Scratch that a call will take from the workspace, so that the engine can plan for it.
  virtual std::size_t conv2d_workspace_bytes(Conv2dPass, const Conv2dShape&) const = 0;
  /// Name of the algorithm chosen: a pure function of its arguments and name().
  virtual const char* conv2d_algorithm(Conv2dPass, const Conv2dShape&) const = 0;
  /// Bytes of the packed form of the weights for this shape; 0 where the algorithm uses them as
  /// they are.
  virtual std::size_t conv2d_packed_bytes(Conv2dPass, const Conv2dShape&) const = 0;
  /// The key of packed weights of this shape. Only where conv2d_packed_bytes is not 0.
  virtual Conv2dPackKey conv2d_pack_key(Conv2dPass, const Conv2dShape&) const = 0;

  // ---- what not every device has ----
  /// Whether Conv2dForward of this shape can store y in bf16 beside an x of f32.
  virtual bool conv2d_stores_bf16(const Conv2dShape&) const { return false; }
  /// Whether epilogues take Activation::Relu6.
  virtual bool fuses_relu6() const { return false; }
  /// Whether InvertedResidual computes this shape faster than one convolution after the other. Both
  /// give the same bits.
  virtual bool fuses_inverted_residual(const InvertedResidualShape&) const { return false; }
  /// Whether the device has BatchNormMaxPool and its backward; where not, the caller composes them.
  virtual bool fuses_batch_norm_max_pool() const { return false; }
};

/// Defines all run() of a backend by one function template of Derived,
///   template <Primitive Op> void each(ExecContext&, const Op&);
/// A class that derives from EachPrimitive<Itself> writes that, and the functions of Backend above.
template <typename Derived, typename List = Primitives>
class EachPrimitive;
template <typename Derived>
class EachPrimitive<Derived, PrimitiveList<>> : public Backend {};
template <typename Derived, typename First, typename... Others>
class EachPrimitive<Derived, PrimitiveList<First, Others...>>
    : public EachPrimitive<Derived, PrimitiveList<Others...>> {
 public:
  using EachPrimitive<Derived, PrimitiveList<Others...>>::run;
  void run(ExecContext& context, const First& op) final {
    static_cast<Derived*>(this)->each(context, op);
  }
};

}  // namespace hanok
#pragma GCC visibility pop
