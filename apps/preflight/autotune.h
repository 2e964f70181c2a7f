// --autotune: the fastest algorithm for each convolution of a network, measured on this machine.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/kernels/cpu/conv2d/choices.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct TunedConv2d {
  Conv2dChoices::Choice choice;
  Conv2dAlgorithm shipped;
  double seconds = 0, shipped_seconds = 0;  // of one call, packing its weights
};

/// Measures every algorithm that can compute each convolution of a training step and of validation,
/// forward and backward, on the CPU. The shipped one is kept unless another is at least 5% faster.
/// `model` gets noise and gradients: it must not be used afterwards.
std::vector<TunedConv2d> measure_conv2d(nn::Module& model, const Options& options);

/// "autotune: ..." : what was measured and what it gains, in a line.
std::string describe(const std::vector<TunedConv2d>& tuned);

/// A line per convolution and pass: sizes, algorithm, milliseconds.
std::string to_csv(const std::vector<TunedConv2d>& tuned);

/// The choices in such a file. Throws FormatError that names file, line and value.
Conv2dChoices read_conv2d_choices(const std::string& path);

}  // namespace hanok::training
#pragma GCC visibility pop
