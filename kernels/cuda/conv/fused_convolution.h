// Convolutions with as much of their epilogue fused as a library has kernels for.
#pragma once

#include <memory>

#include "hanok/kernels/cuda/conv/convolution.h"
#include "hanok/kernels/cuda/conv/convolution_problem.h"

namespace hanok::cuda {

/// Tries the convolution with its whole epilogue first; if the library has no such kernel, tries
/// less and runs hanok's own kernels for the rest; finally runs only these.
std::unique_ptr<Convolution> make_fused_convolution(std::unique_ptr<ConvolutionEngines> engines);

}  // namespace hanok::cuda
