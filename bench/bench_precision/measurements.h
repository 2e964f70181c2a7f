// What bench_precision measures.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_precision/conv2d_errors.h"
#include "bench/bench_precision/network.h"
#include "hanok/apps/cli/reporter.h"

namespace hanok::bench {

struct NamedErrors {
  std::string name{};  // of the layer, or of the distribution
  Conv2dErrors errors{};
};

/// Every convolution of one training step in f32, with its real activations and gradients.
std::vector<NamedErrors> measure_layers(const NetworkOptions& options,
                                        training::Reporter& reporter);

struct GradientError {
  std::int64_t numbers = 0;  // of all parameters
  RelativeError error{};     // over the rms of all gradients
};
/// Gradients of all parameters after one training step in integers, against those in f32.
GradientError measure_gradients(const NetworkOptions& options, training::Reporter& reporter);

struct SyntheticOptions {
  std::int64_t batch_size = 2;
  std::int64_t largest_channels = 512;  // layers with more are left out
};
/// The convolutions of ResNet18 over drawn operands.
std::vector<NamedErrors> measure_synthetic(const SyntheticOptions& options);

struct LogitError {
  std::string name{};  // "int16 against f32"
  std::int64_t images = 0;
  RelativeError error{};  // over the logits' rms
  double agreement = 0;   // share of the images with the same best class
};
/// Logits of a whole network: int16 against f32 for all photographs; f32, int16 and bf16 operands
/// against convolutions in double precision for `exact` of them.
std::vector<LogitError> measure_logits(const NetworkOptions& options, std::int64_t exact,
                                       training::Reporter& reporter);

}  // namespace hanok::bench
