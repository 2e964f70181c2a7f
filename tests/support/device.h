// The device under test: tests allocate their tensors on it.
#pragma once

#include "hanok/kernels/base/device.h"

namespace hanok::testing {

/// The CPU, or in the programs test_*_cuda the first CUDA device.
Device test_device();

}  // namespace hanok::testing
