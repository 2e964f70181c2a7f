// Convolutions with as much of their epilogue in the same kernel as a library has kernels for.
#pragma once

#include <memory>

#include "hanok/kernels/cuda/conv/convolution.h"
#include "hanok/kernels/cuda/conv/convolution_problem.h"

namespace hanok::cuda {

/// Asks the engines for the whole of convolution and epilogue first; where they have no such
/// kernel, for less, and runs our own kernels for the rest; in the end for nothing.
std::unique_ptr<Convolution> make_fused_convolution(std::unique_ptr<ConvolutionEngines> engines);

}  // namespace hanok::cuda
