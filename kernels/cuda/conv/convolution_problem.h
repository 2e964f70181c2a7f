// The description of a convolution and its fused epilogue for a library of kernels (cuDNN), and the
// interface of such a library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// Everything that determines a plan, besides the device and cuDNN's version.
struct ConvolutionProblem {
  Conv2dPass pass = Conv2dPass::Forward;
  Conv2dShape shape;
  DType dtype = DType::F32;  // of x, w and y alike; sums are f32
  bool tf32 = false;         // for f32: tensor cores allowed
  // The fused epilogue of a forward convolution, in this order.
  bool scale = false, shift = false, residual = false, relu = false;
  bool statistics = false;  // f32 sums of y and of y squared per channel ("genstats")

  bool fused() const { return scale || shift || residual || relu || statistics; }
  /// Whether it is a batch of another size (the last, short one) that is computed like batches of
  /// shape.nominal_n images.
  bool follows_nominal() const { return shape.nominal_n > 0 && shape.nominal_n != shape.n; }
  /// The same for nominal_n images.
  ConvolutionProblem nominal() const;
  /// One line that identifies the problem, e.g. "forward n32 c64 h56 w56 k64 r3 s3 groups1
  /// stride1x1 pad1x1 dilation1x1 bf16 +shift +relu", with " as n32" after the n5 of a batch that
  /// follows another.
  std::string text() const;
};

/// The tensors of a graph by number, for which execute() needs pointers. In a backward pass dy
/// takes the place of y, and dx or dw that of x or w.
enum class GraphTensor : std::int64_t {
  X = 1,
  W = 2,
  Y = 3,
  Scale = 4,
  Shift = 5,
  Residual = 6,
  Sum = 7,
  SumOfSquares = 8
};
using TensorPointers = std::vector<std::pair<GraphTensor, void*>>;

/// A library of convolution kernels on one device.
class ConvolutionEngines {
 public:
  virtual ~ConvolutionEngines() = default;
  /// Enqueues the problem on the context's stream; false if the library has no kernel for it.
  virtual bool run(ExecContext& context, const ConvolutionProblem& problem,
                   const TensorPointers& tensors) = 0;
  /// Name of the kernel, "" if there is none.
  virtual std::string engine(const ConvolutionProblem& problem) = 0;
  /// Workspace that run() needs.
  virtual std::size_t workspace_bytes(const ConvolutionProblem& problem) = 0;
};

}  // namespace hanok::cuda
