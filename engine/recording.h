// Ops recorded once as a CUDA graph and replayed: the host then pays one launch for all of them.
//
// A replay does again, on the same addresses, what the recorded calls would have done. So:
// - What goes in and what comes out lies in tensors that the caller keeps: written before a replay,
//   read after it, in the order of the compute stream.
// - Numbers that change from replay to replay (learning rate, step, random position, the loss's
//   denominator) are read from such tensors too; a host scalar is recorded with its value.
// - What ops make at their first use (plans of convolutions, moments) is made before, by doing once
//   without a recording what is then recorded.
// - Versions of tensors are the host's: whoever replays bumps those of what the replay wrote.
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
  /// Records what `body` asks of the GPU; nothing of it runs. Its tensors and its scratch come from
  /// memory that belongs to the recording from then on. Throws what `body` throws, and DeviceError
  /// if something in it cannot be recorded (waiting for the device, copies of ordinary host
  /// memory); the device is as before then.
  Recording(Device device, const std::function<void()>& body);
  /// Waits for a replay that is under way.
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// Enqueues all of it on the compute stream.
  void replay();

  /// Whether this thread records: lasting state must not be made now, it would be made anew in
  /// every replay.
  static bool under_way();

 private:
  MemoryPool pool_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<CudaGraph> graph_;
};

}  // namespace hanok
#pragma GCC visibility pop
