// The process's compute resources: one backend and one execution context a device.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace hanok {

/// The backend of a device; created at first use. Throws DeviceError if the device is not there.
Backend& backend_of(Device device);

/// Puts another backend in a device's place and returns the one before: to count or time its calls.
/// Not while ops run.
std::unique_ptr<Backend> exchange_backend(Device device, std::unique_ptr<Backend> backend);

/// Threads, workspace and stream that ops on this device use.
ExecContext& context_of(Device device);

/// Number of compute threads (default: the CPUs that this process may use). Not while ops run.
void set_num_threads(int threads);
int num_threads();

}  // namespace hanok
