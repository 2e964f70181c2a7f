// What options say of the machine, put into effect.
#pragma once

#include <cstdint>

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/samples/recorded_data.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Keeps this process within --memory. `decoding`: bytes that reading all images needed for itself,
/// where that is known.
void keep_to_memory(const Options& options, std::int64_t decoding = 0);

/// What of --memory tensors may take now, for the record; 0 without the option.
std::int64_t tensor_budget(const Options& options);
/// Gives tensors what the run recorded, so that its batches are divided at the same steps. Only
/// with the run's own --memory.
void use_tensor_budget(const Options& options, const RecordedData& record);

/// Threads, memory and device of this process from now on; returns the precision to compute in.
/// Throws UsageError or DeviceError for what this machine cannot do.
Precision use_machine(const Options& options);

}  // namespace hanok::training
#pragma GCC visibility pop
