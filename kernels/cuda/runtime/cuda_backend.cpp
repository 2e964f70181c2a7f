// The CUDA backend: checks element types, makes the device current, and calls one function per
// primitive. Nothing here synchronises, except in the debugging mode.
//
// Activations may be f32, f16 or bf16 (each family of functions throws DTypeError for types that it
// does not support); statistics, parameters of norms, losses and optimisers' state are f32.
#include "hanok/kernels/cuda/runtime/cuda_backend.h"

#include <cuda_runtime.h>
#include <string>
#include <type_traits>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/runtime/cuda.h"
#include "hanok/kernels/operand_types.h"

namespace hanok::cuda {
namespace {

/// Primitives that CUDA has no kernel for: fuses_inverted_residual and fuses_batch_norm_max_pool
/// say so, and the engine composes them.
template <Primitive Op>
constexpr bool kMissing =
    std::is_same_v<Op, InvertedResidual> || std::is_same_v<Op, BatchNormMaxPool> ||
    std::is_same_v<Op, BatchNormMaxPoolBackward>;

class CudaBackend final : public EachPrimitive<CudaBackend> {
 public:
  explicit CudaBackend(BackendParts parts) : parts_(std::move(parts)) {}

  /// A failure names the primitive; with `synchronize` also one that the device reports later.
  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    if constexpr (kMissing<Op>) {
      throw DeviceError(std::string(Op::kName) + ": " + device().to_string() + " does not have it");
    } else {
      check_operand_types(op, "CUDA", DataTypes::F32OrHalf);
      check_fused(op);
      try {
        check(cudaSetDevice(parts_.device), "cudaSetDevice");
        compute(context, op);
        if (parts_.synchronize && !is_capturing(stream_of(context))) {
          check(cudaStreamSynchronize(stream_of(context)), "the device");
        }
      } catch (const DeviceError& error) {
        throw DeviceError(std::string(Op::kName) + " on " + device().to_string() + ": " +
                          error.what());
      }
    }
  }

  Device device() const override { return Device::cuda(parts_.device); }
  const char* name() const override { return parts_.name.c_str(); }

  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return parts_.convolution->workspace_bytes(pass, shape);
  }
  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return parts_.convolution->algorithm(pass, shape);
  }
  // Weights are used unpacked.
  std::size_t conv2d_packed_bytes(Conv2dPass, const Conv2dShape&) const override { return 0; }
  Conv2dPackKey conv2d_pack_key(Conv2dPass, const Conv2dShape&) const override { return {}; }

 private:
  template <Primitive Op>
  void compute(ExecContext& context, const Op& op) {
    cuda::run(context, op);
  }
  void compute(ExecContext& context, const Gemm& op) {
    parts_.product->multiply(context, op.shape, op.a, op.b, op.epilogue, op.c);
  }
  void compute(ExecContext&, const Conv2dPack&) {}
  void compute(ExecContext& context, const Conv2dForward& op) {
    parts_.convolution->forward(context, op.shape, op.x, op.w, op.epilogue, op.y);
  }
  void compute(ExecContext& context, const Conv2dBackwardData& op) {
    parts_.convolution->backward_data(context, op.shape, op.dy, op.w, op.dx);
  }
  void compute(ExecContext& context, const Conv2dBackwardWeights& op) {
    parts_.convolution->backward_weights(context, op.shape, op.x, op.dy, op.dw);
  }

  /// Rejects an activation that only another backend fuses, rather than ignoring it.
  template <Primitive Op>
  void check_fused(const Op& op) const {
    Activation activation = Activation::None;
    if constexpr (requires { op.epilogue; }) activation = op.epilogue.activation;
    if constexpr (requires { op.activation; }) activation = op.activation;
    if (activation == Activation::Relu6) {
      throw ValueError(std::string(Op::kName) + " on " + device().to_string() +
                       ": ReLU6 is not fused here; it is a primitive of its own (clamp)");
    }
  }

  BackendParts parts_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(BackendParts parts) {
  return std::make_unique<CudaBackend>(std::move(parts));
}

}  // namespace hanok::cuda
