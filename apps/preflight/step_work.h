// What a rank computes in a step, layer by layer, from the kernels that a profiler recorded.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/preflight/scaling.h"
#include "hanok/engine/profiler.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Steps that were recorded, all of them alike.
struct RecordedSteps {
  std::int64_t steps = 0;
  double seconds = 0;       // of all of them
  std::int64_t images = 0;  // of one
  std::int64_t parts = 1;   // of one: --accumulate
  int threads = 1;
};

/// The work of such a step. A layer has the time of its kernels and the gradients of its own
/// trained parameters; what `calls` do not explain of `recorded.seconds` is StepWork::other. Costs
/// are proportional to the images: between() tells what does not grow with them. Throws ValueError
/// without a step or image.
StepWork measured_work(nn::Module& model, const std::vector<KernelCall>& calls,
                       const RecordedSteps& recorded);

/// The work through two measurements of the same network, `large` with more images. Throws
/// ValueError if their layers differ.
StepWork between(const StepWork& small, const StepWork& large);

}  // namespace hanok::training
#pragma GCC visibility pop
