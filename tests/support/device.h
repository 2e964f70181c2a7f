// The device that a test program is about: tests put their tensors there.
#pragma once

#include "hanok/kernels/base/device.h"

namespace hanok::testing {

/// The CPU, or in the programs built for it (test_*_cuda) the first CUDA device.
Device test_device();

}  // namespace hanok::testing
