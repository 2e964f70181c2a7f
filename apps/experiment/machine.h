// What options say of the machine, put into effect.
#pragma once

#include <cstdint>

#include "hanok/apps/options/options.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Keeps this process within --memory. `decoding`: bytes that reading all images needed for itself,
/// where that is known.
void keep_to_memory(const Options& options, std::int64_t decoding = 0);

/// Threads, memory and device of this process from now on; returns the precision to compute in.
/// Throws UsageError or DeviceError for what this machine cannot do.
Precision use_machine(const Options& options);

}  // namespace hanok::training
#pragma GCC visibility pop
