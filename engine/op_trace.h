// A hash of what every kernel read and wrote: two passes over the same work are compared op by op.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/engine/profiler.h"
#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok {

struct TracedOp {
  const char* kernel = "";      // "conv2d_forward"
  const void* layer = nullptr;  // see layer_scope.h; null: outside all layers
  KernelCall::Pass pass = KernelCall::Pass::Forward;
  /// Hashes of the operands that it read and of those that it wrote. What it updates counts as
  /// written alone.
  std::uint64_t read = 0, written = 0;
};

/// While alive, replaces a device's backend by one that records each call and forwards it, as the
/// Profiler does: its rules hold here too.
class OpTrace {
 public:
  /// Throws DeviceError for a GPU, whose memory the host cannot read.
  explicit OpTrace(Device device = Device::cpu());
  ~OpTrace();
  OpTrace(const OpTrace&) = delete;
  OpTrace& operator=(const OpTrace&) = delete;

  /// In the order in which they ended. Not while ops run.
  const std::vector<TracedOp>& ops() const;

 private:
  class Recorder;
  Device device_;
  Recorder* recorder_;  // owned by the runtime while it is installed
};

}  // namespace hanok
#pragma GCC visibility pop
