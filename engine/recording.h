// Ops recorded once as a CUDA graph and replayed: the host then pays one launch for all of them.
//
// A replay repeats the recorded calls on the same addresses. So:
// - The caller owns the tensors of inputs and outputs: it writes them before a replay and reads
// them
//   after it, in the order of the compute stream.
// - Numbers that change from replay to replay (learning rate, step, random position, the loss's
//   denominator) are read from such tensors too; a host scalar is recorded with its value.
// - Objects that ops create at their first use (plans of convolutions, moments) must exist before:
//   run the calls once without a recording, then record them.
// - Versions of tensors are kept on the host: the caller of replay() bumps those of the tensors
// that
//   the replay wrote.
#pragma once

#include <functional>
#include <memory>

#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/device.h"
#include "hanok/kernels/cuda_runtime.h"

#pragma GCC visibility push(default)
namespace hanok {

class Recording {
 public:
  /// Records the GPU work of `body` without running it. Its tensors and its scratch come from
  /// memory that the recording owns from then on. Throws what `body` throws, and DeviceError if it
  /// contains work that cannot be recorded (synchronisation, copies of pageable host memory); then
  /// the device is unchanged.
  Recording(Device device, const std::function<void()>& body);
  /// Waits for the end of a running replay.
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Enqueues all of it on the compute stream.
  void replay();

  /// Whether this thread records. Lasting state must not be created then: every replay would create
  /// it again.
  static bool under_way();

 private:
  MemoryPool pool_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<CudaGraph> graph_;
};

}  // namespace hanok
#pragma GCC visibility pop
