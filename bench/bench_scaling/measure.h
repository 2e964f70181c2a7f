// A training step of a network, layer by layer: measured here, and at a GPU's roofline.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/preflight/scaling.h"

namespace hanok::bench {

struct MeasuredNetwork {
  training::StepWork cpu;   // seconds of this machine
  training::StepWork h100;  // at least as many on an H100 in bf16: computed, not measured
};

/// Steps of all layers with AdamW on noise, at `batch_size` and a quarter of it. A step takes the
/// least processor time of several, over the threads: others may use the machine. Its kernels share
/// it as their fastest calls do.
MeasuredNetwork measure_network(const std::string& model, std::int64_t batch_size,
                                std::int64_t image_size);

}  // namespace hanok::bench
