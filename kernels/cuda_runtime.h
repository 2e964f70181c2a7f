// What the engine needs of CUDA besides arithmetic: devices, memory, streams, copies, captured
// graphs. The interface is here so that the engine includes no CUDA header; a program has one
// implementation linked in (kernels/cuda, or the tests' stand-in) or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/backend.h"

#pragma GCC visibility push(default)
namespace hanok {

struct CudaDeviceInfo {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  // compute capability
  std::size_t total_bytes = 0, free_bytes = 0;
};

/// A recorded sequence of device work that can be replayed; destroyed with its handle.
class CudaGraph {
 public:
  virtual ~CudaGraph() = default;
  /// Enqueues the whole recording on the compute stream.
  virtual void replay() = 0;
};

/// A device's two streams: work of each runs in order, and beside that of the other.
enum class CudaStream { Compute, Copy };

/// A place in a stream: everything enqueued before it was recorded.
class CudaMark {
 public:
  virtual ~CudaMark() = default;
  /// Blocks the host until the stream has passed it.
  virtual void wait() = 0;
  /// Work enqueued on that stream of the same device from now on starts after the mark.
  virtual void hold_back(CudaStream stream) = 0;
};

/// How convolutions choose among the kernels of cuDNN.
struct CudaPlanOptions {
  /// Measure the best few for each shape once, instead of trusting cuDNN's heuristics.
  bool autotune = false;
  /// Folders that hold earlier choices and get the new ones, "" for none: a run's own, which is
  /// trusted, and a shared one, of which only choices made in the same way are used.
  std::string own_folder{}, shared_folder{};
};

/// Streams and events are opaque handles. All functions name the device by index and throw
/// DeviceError, whose text says what was found and what is needed.
class CudaRuntime {
 public:
  virtual ~CudaRuntime() = default;

  /// The devices that hanok can use. Throws DeviceError if there is no driver, it is too old, or
  /// there is no device of sm_75 or newer.
  virtual std::vector<CudaDeviceInfo> devices() = 0;
  /// One line per part (driver, cuBLAS, cuDNN, devices): its version, or what is missing. For
  /// `inspect devices`; never throws.
  virtual std::vector<std::string> describe() = 0;
  virtual std::unique_ptr<Backend> make_backend(int device) = 0;
  /// For the choices that are made from now on, on all devices.
  virtual void set_plan_options(const CudaPlanOptions& options) = 0;
  /// One line per choice of this process so far: the convolution, the kernel, scratch, and where
  /// the choice came from.
  virtual std::vector<std::string> plan_records() = 0;
  /// Free device memory. Throws DeviceError if there is too little to start.
  virtual std::size_t free_bytes(int device) = 0;

  /// Null if the device has no free block of that size.
  virtual void* allocate(int device, std::size_t bytes) = 0;
  virtual void release(int device, void* pointer) = 0;
  /// Page-locked host memory, for copies that run beside compute. Null if there is none.
  virtual void* allocate_pinned(std::size_t bytes) = 0;
  virtual void release_pinned(void* pointer) = 0;

  using Stream = CudaStream;
  /// The device's stream as a cudaStream_t.
  virtual void* stream(int device, Stream) = 0;
  enum class Copy { HostToDevice, DeviceToHost, DeviceToDevice };
  /// Enqueues a copy. Pinned host memory must stay as it is until the stream has passed the copy;
  /// ordinary host memory has been read or written when the call returns.
  virtual void copy(int device, Stream, Copy, void* to, const void* from, std::size_t bytes) = 0;
  /// Work enqueued on `waiting` from now on starts after what `done` holds now.
  virtual void wait(int device, Stream waiting, Stream done) = 0;
  virtual std::unique_ptr<CudaMark> mark(int device, Stream) = 0;
  /// Blocks the host until the stream is empty; reports errors of everything before.
  virtual void synchronize(int device, Stream) = 0;

  /// Adds 1 to a number in the device's memory, on the compute stream: so a recording counts. Where
  /// `skip` (may be null) is not 0, nothing is added.
  virtual void count_up(int device, std::int64_t* counter, const float* skip) = 0;

  /// Records what is enqueued on the compute stream from now on, instead of running it.
  /// Host memory copied to or from meanwhile must be pinned.
  virtual void begin_capture(int device) = 0;
  /// Throws DeviceError if something that cannot be recorded happened since.
  virtual std::unique_ptr<CudaGraph> end_capture(int device) = 0;
  virtual bool is_capturing(int device) = 0;

  /// Whether f32 products may round their factors to TF32 (kernels/cuda/gemm/precision.h), for the
  /// whole process.
  virtual bool tf32_allowed() = 0;
  virtual void allow_tf32(bool allowed) = 0;
};

/// The implementation linked into this program; null in a build without CUDA.
CudaRuntime* cuda_runtime();

}  // namespace hanok
#pragma GCC visibility pop
