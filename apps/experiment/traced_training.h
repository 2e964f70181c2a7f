// A fold trained again, with a hash of what every op made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/training/fold_job.h"
#include "hanok/engine/op_trace.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Trains up to the job's last epoch; false if the user interrupted.
bool train_again(const FoldJob& job);

struct NamedOp {
  TracedOp op{};          // its layer is gone
  std::string layer{};    // "layer1.0.conv1"; empty: outside all layers
  std::int64_t step = 0;  // of this training, 1 is the first; validation counts to the step before
};

/// The same on the CPU, with all its ops in order. Fewer of them if the user interrupted.
std::vector<NamedOp> train_traced(const FoldJob& job);

/// Describes the first op in which two trainings differ; empty if they are the same.
std::string first_difference(const std::vector<NamedOp>& a, const std::vector<NamedOp>& b);

}  // namespace hanok::training
#pragma GCC visibility pop
