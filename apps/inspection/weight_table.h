// A weight file as a readable table.
#pragma once

#include <string>

#include "hanok/weights/weights.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// "16 tensors, 220 values, 0.01 MiB"
std::string describe_totals(const nn::StateDict& tensors);

/// A line a tensor: name, shape, type, minimum, maximum, mean and standard deviation of its finite
/// values, and how many are not finite; then totals, metadata, the reader's notes
/// and the objects of Python that it left out.
std::string weight_table(const weights::WeightFile& file);

}  // namespace hanok::training
#pragma GCC visibility pop
