// The CUDA devices of this machine, and complete messages on why one cannot be used.
#pragma once

#include <string>
#include <vector>

#include "hanok/kernels/cuda_runtime.h"

namespace hanok::cuda {

/// All devices that the driver lists, usable or not. Throws DeviceError if there is no driver, a
/// too old one, or no device.
std::vector<CudaDeviceInfo> all_devices();
/// Throws DeviceError for an unsupported architecture.
void check_architecture(const CudaDeviceInfo& device);
/// The device of that index. Throws DeviceError if it is missing or cannot be used.
CudaDeviceInfo require_device(int index);
/// "cuda:0 NVIDIA H100 (sm_90), 78.1 of 79.6 GiB free"
std::string to_text(const CudaDeviceInfo& device);

}  // namespace hanok::cuda
