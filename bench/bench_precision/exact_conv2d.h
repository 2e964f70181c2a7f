// Convolutions in double precision by their plain definition: what the others are compared with.
#pragma once

#include <vector>

#include "hanok/kernels/base/thread_pool.h"
#include "hanok/kernels/conv2d.h"

namespace hanok::bench {

/// What happens to the operands before they are multiplied.
enum class OperandsAre {
  F32,   // taken as they are
  Bf16,  // rounded to bf16, as an engine does that multiplies bf16 and adds f32; sums stay double,
         // so that this has the least error that such an engine can have
};

/// The two factors of a pass, as the engine keeps them (NHWC, and K,R,S,C for weights):
/// forward x and w, backward data dy and w, backward weights x and dy.
struct Conv2dFactors {
  const float* first = nullptr;
  const float* second = nullptr;
};

/// The pass's result in the order in which the engine keeps it.
std::vector<double> exact_conv2d(ThreadPool& pool, Conv2dPass pass, const Conv2dShape& shape,
                                 const Conv2dFactors& factors, OperandsAre operands);

/// Elements of the pass's result.
std::int64_t result_count(Conv2dPass pass, const Conv2dShape& shape);

}  // namespace hanok::bench
