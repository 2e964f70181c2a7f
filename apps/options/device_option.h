// --device: which of the machine's devices computes; --precision: in what.
#pragma once

#include <string>

#include "hanok/apps/options/option_values.h"
#include "hanok/engine/precision.h"
#include "hanok/kernels/base/device.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The device of that choice: auto is the first GPU that can be used, else the CPU. Throws
/// DeviceError, which names what is missing, for a GPU that is not there.
Device choose_device(const DeviceChoice& choice);

/// The precision of that name. Throws UsageError for other names.
Precision parse_precision(const std::string& text);

/// Where a model's parameters are; the CPU if it has none.
Device device_of(nn::Module& model);

}  // namespace hanok::training
#pragma GCC visibility pop
