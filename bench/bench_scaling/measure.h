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

/// Steps of all layers with AdamW on noise, at `batch_size` and a quarter of it. Of several
/// steps each kernel's fastest call counts: others may use the machine.
MeasuredNetwork measure_network(const std::string& model, std::int64_t batch_size,
                                std::int64_t image_size);

}  // namespace hanok::bench
