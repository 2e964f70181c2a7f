// The error of one pass of a convolution in each arithmetic, against double precision.
#pragma once

#include <string>

#include "bench/bench_precision/errors.h"
#include "bench/bench_precision/exact_conv2d.h"
#include "hanok/kernels/backend.h"

namespace hanok::bench {

struct Conv2dErrors {
  Conv2dPass pass = Conv2dPass::Forward;
  Conv2dShape shape;
  std::string algorithm;  // of --precision int16
  RelativeError f32;      // hanok's own: shows that the reference is right
  RelativeError int16;    // hanok's --precision int16
  RelativeError bf16;     // direct convolution of operands rounded to bf16
  /// --precision int16 computes this pass in another way than f32.
  bool is_integer = false;
};

/// Computes the pass in all of them.
Conv2dErrors measure_conv2d(Backend& backend, ExecContext& context, Conv2dPass pass,
                            const Conv2dShape& shape, const Conv2dFactors& factors);

/// "forward", "input gradient", "weight gradient".
const char* name_of(Conv2dPass pass);

}  // namespace hanok::bench
