#include "kernels/choose_conv2d.h"

namespace hanok {

Conv2dAlgorithm choose_conv2d(Conv2dPass /*pass*/, const Conv2dShape& shape) {
  // One input and one output channel a group leave nothing to multiply matrices with.
  if (shape.groups > 1 && shape.groups == shape.c && shape.groups == shape.k) {
    return Conv2dAlgorithm::Depthwise;
  }
  return Conv2dAlgorithm::ImplicitGemm;
}

const char* name_of(Conv2dAlgorithm algorithm) {
  switch (algorithm) {
    case Conv2dAlgorithm::ImplicitGemm:
      return "implicit_gemm";
    case Conv2dAlgorithm::Depthwise:
      return "depthwise";
  }
  return "?";
}

}  // namespace hanok
