// The process's compute resources: one backend and one execution context per device.
#pragma once

#include <cstdint>
#include <memory>

#include "hanok/kernels/backend.h"

#pragma GCC visibility push(default)
namespace hanok {

/// The backend of a device; created at first use. Throws DeviceError if the device is missing.
Backend& backend_of(Device device);

/// Throws DeviceError unless `device` is a GPU and this build has a CUDA backend.
void require_cuda(Device device);

/// Replaces the backend of a device and returns the previous one, to count or time its calls. Not
/// while ops run.
std::unique_ptr<Backend> exchange_backend(Device device, std::unique_ptr<Backend> backend);

/// Threads, workspace and stream used by ops on this device.
ExecContext& context_of(Device device);

/// Runs a primitive on a device.
template <Primitive Op>
void run_on(Device device, const Op& op) {
  backend_of(device).run(context_of(device), op);
}

/// While alive, ops of this thread on the scratch's device use it as their workspace: a captured
/// graph keeps using the addresses of its capture.
class OwnWorkspace {
 public:
  OwnWorkspace(Device device, Workspace& workspace);
  ~OwnWorkspace();
  OwnWorkspace(const OwnWorkspace&) = delete;
  OwnWorkspace& operator=(const OwnWorkspace&) = delete;

 private:
  Device device_;
  Workspace* saved_;
};

/// A workspace from a device's allocator.
std::unique_ptr<Workspace> make_workspace(Device device);

/// Number of compute threads (default: the CPUs available to this process). Not while ops run.
void set_num_threads(int threads);
int num_threads();

/// While alive, convolutions on this thread choose their algorithm as for a batch of `images`
/// regardless of the actual batch: an image then gives the same bits in a short last batch as in a
/// full one. 0: by the actual batch again. Throws ValueError if negative.
class NominalBatch {
 public:
  explicit NominalBatch(std::int64_t images);
  ~NominalBatch();
  NominalBatch(const NominalBatch&) = delete;
  NominalBatch& operator=(const NominalBatch&) = delete;

 private:
  std::int64_t saved_;
};

/// The batch size of the innermost NominalBatch of this thread; 0 without one.
std::int64_t nominal_batch();

}  // namespace hanok
#pragma GCC visibility pop
