// --device: which of the machine's devices computes; --precision: in what.
#pragma once

#include <string>

#include "hanok/engine/precision.h"
#include "hanok/kernels/base/device.h"
#include "hanok/nn/module.h"

namespace hanok::training {

/// Throws UsageError unless `text` is auto, cpu, cuda or cuda:N.
void check_device_text(const std::string& text);

/// The device meant: auto is the first GPU that can be used, else the CPU. Throws DeviceError,
/// saying what is missing, if a GPU is asked for that is not there.
Device choose_device(const std::string& text);

/// The precision of that name. Throws UsageError for other names, DeviceError, saying what was
/// found and what is needed, if the device does not compute in it.
Precision choose_precision(const std::string& text, Device device);

/// Where a model's parameters are; the CPU if it has none.
Device device_of(nn::Module& model);

}  // namespace hanok::training
