// A convolution and what follows it in the same kernel, in words: what a library of kernels (cuDNN)
// is asked for, and the interface of such a library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok::cuda {

/// Everything that a plan depends on, besides the device and cuDNN's version.
struct ConvolutionProblem {
  Conv2dPass pass = Conv2dPass::Forward;
  Conv2dShape shape;
  DType dtype = DType::F32;  // of x, w and y alike; sums are f32
  bool tf32 = false;         // for f32: tensor cores allowed
  // What follows a forward convolution in the same kernel, in this order.
  bool scale = false, shift = false, residual = false, relu = false;
  bool statistics = false;  // f32 sums of y and of y squared per channel ("genstats")

  bool fused() const { return scale || shift || residual || relu || statistics; }
  /// Whether it is a batch of another size (the last, short one) that is computed as batches of
  /// shape.nominal_n images are.
  bool follows_nominal() const { return shape.nominal_n > 0 && shape.nominal_n != shape.n; }
  /// The same for nominal_n images.
  ConvolutionProblem nominal() const;
  /// One line that is equal exactly for equal problems, e.g.
  /// "forward n32 c64 h56 w56 k64 r3 s3 groups1 stride1x1 pad1x1 dilation1x1 bf16 +shift +relu",
  /// with " as n32" behind the n5 of a batch that follows another.
  std::string text() const;
};

/// The tensors of a graph by number: what execute() wants pointers of. A backward pass has dy in
/// the place of y, and dx or dw in that of x or w.
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
  /// Enqueues the problem on the context's stream; false where the library has no kernel for it.
  virtual bool run(ExecContext& context, const ConvolutionProblem& problem,
                   const TensorPointers& tensors) = 0;
  /// Name of the kernel, "" where there is none.
  virtual std::string engine(const ConvolutionProblem& problem) = 0;
  /// Scratch that run() takes from the workspace.
  virtual std::size_t workspace_bytes(const ConvolutionProblem& problem) = 0;
};

}  // namespace hanok::cuda
