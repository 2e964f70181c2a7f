// CudaRuntime on CUDA's own runtime: a compute and a copy stream per device, created at first use.
#include "hanok/kernels/cuda_runtime.h"

#include <cstdlib>
#include <cuda_runtime.h>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/gemm/precision.h"
#include "hanok/kernels/cuda/libraries/cublas.h"
#include "hanok/kernels/cuda/libraries/cudnn_convolution.h"
#include "hanok/kernels/cuda/ops/counter.h"
#include "hanok/kernels/cuda/runtime/cuda.h"
#include "hanok/kernels/cuda/runtime/cuda_backend.h"
#include "hanok/kernels/cuda/runtime/cuda_devices.h"

namespace hanok::cuda {
namespace {

bool environment_is(const char* name, std::string_view wanted) {
  const char* value = std::getenv(name);
  return value != nullptr && value == wanted;
}

/// Pageable host memory.
bool is_ordinary_memory(const void* host) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, host), "cudaPointerGetAttributes");
  return attributes.type == cudaMemoryTypeUnregistered;
}

class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class Mark final : public CudaMark {
 public:
  Mark(cudaStream_t recorded, cudaStream_t compute, cudaStream_t copy)
      : compute_(compute), copy_(copy) {
    check(cudaEventRecord(event_.get(), recorded), "cudaEventRecord");
  }
  void wait() override { check(cudaEventSynchronize(event_.get()), "waiting for the device"); }
  void hold_back(CudaStream stream) override {
    const cudaStream_t waiting = stream == CudaStream::Compute ? compute_ : copy_;
    check(cudaStreamWaitEvent(waiting, event_.get(), 0), "cudaStreamWaitEvent");
  }

 private:
  cudaStream_t compute_;
  cudaStream_t copy_;
  Event event_;
};

class Graph final : public CudaGraph {
 public:
  /// Takes ownership of the graph.
  Graph(int device, cudaStream_t stream, cudaGraph_t graph)
      : device_(device), stream_(stream), graph_(graph) {
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph_, 0);
    if (status != cudaSuccess) {
      cudaGraphDestroy(graph_);
      check(status, "cudaGraphInstantiate");
    }
  }
  ~Graph() override {
    cudaStreamSynchronize(stream_);  // a replay may still be running
    cudaGraphExecDestroy(executable_);
    cudaGraphDestroy(graph_);
  }
  void replay() override {
    check(cudaSetDevice(device_), "cudaSetDevice");
    check(cudaGraphLaunch(executable_, stream_), "cudaGraphLaunch");
  }

 private:
  int device_;
  cudaStream_t stream_;
  cudaGraph_t graph_;
  cudaGraphExec_t executable_ = nullptr;
};

class Runtime final : public CudaRuntime {
 public:
  std::vector<CudaDeviceInfo> devices() override {
    std::vector<CudaDeviceInfo> usable;
    std::string objection;
    for (const CudaDeviceInfo& device : all_devices()) {
      try {
        usable.push_back(require_device(device.index));
      } catch (const DeviceError& error) {
        if (objection.empty()) objection = error.what();
      }
    }
    if (usable.empty()) throw DeviceError(objection);
    return usable;
  }

  std::vector<std::string> describe() override {
    std::vector<std::string> lines;
    int runtime = 0;
    int driver = 0;
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    const auto version = [](int number) {
      return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
    };
    lines.push_back("CUDA runtime: " + version(runtime));
    lines.push_back("driver: " + (driver == 0 ? "none" : "for CUDA " + version(driver)));
    std::string missing;
    open_cublas(&missing);
    lines.push_back("cuBLAS: " + found_or(cublas_version(), missing));
    missing = "cuDNN 9 was not found";
    try {
      if (cudnn_version().empty()) make_cudnn_convolution(0, &missing);
    } catch (const Error&) {
      // Without a device there is nothing else to report.
    }
    lines.push_back("cuDNN: " + found_or(cudnn_version(), missing));
    try {
      for (const CudaDeviceInfo& device : all_devices()) {
        try {
          lines.push_back(to_text(require_device(device.index)));
        } catch (const Error& error) {
          lines.push_back(std::string("not usable: ") + error.what());
        }
      }
    } catch (const Error& error) {
      lines.emplace_back(error.what());
    }
    return lines;
  }

  std::unique_ptr<Backend> make_backend(int device) override {
    open(device);
    const CudaDeviceInfo info = require_device(device);
    BackendParts parts;
    parts.device = device;
    parts.synchronize = environment_is("HANOK_CUDA_SYNC", "1");
    std::string missing;
    // HANOK_CUDA_LIBRARIES=none: hanok's own kernels, even if NVIDIA's libraries are installed.
    if (!environment_is("HANOK_CUDA_LIBRARIES", "none")) {
      parts.product = make_cublas_product(device, &missing);
      parts.convolution = make_cudnn_convolution(device, &missing);
    }
    parts.name = "cuda " + info.name + " sm_" + std::to_string(info.major) +
                 std::to_string(info.minor) + (parts.product ? " cuBLAS" : "") +
                 (parts.convolution ? " cuDNN" : "");
    if (parts.product == nullptr) parts.product = make_own_product();
    if (parts.convolution == nullptr) parts.convolution = make_own_convolution();
    return cuda::make_backend(std::move(parts));
  }

  void set_plan_options(const CudaPlanOptions& options) override {
    set_cudnn_options({options.autotune, options.own_folder, options.shared_folder});
  }
  std::vector<std::string> plan_records() override { return cudnn_plan_records(); }

  std::size_t free_bytes(int device) override {
    open(device);
    return require_device(device).free_bytes;
  }

  void* allocate(int device, std::size_t bytes) override {
    open(device);
    void* pointer = nullptr;
    const cudaError_t status = cudaMalloc(&pointer, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
    check(status, "cudaMalloc");
    return pointer;
  }

  void release(int device, void* pointer) override {
    open(device);
    check(cudaFree(pointer), "cudaFree");
  }

  void* allocate_pinned(std::size_t bytes) override {
    void* pointer = nullptr;
    const cudaError_t status = cudaMallocHost(&pointer, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
    check(status, "cudaMallocHost");
    return pointer;
  }

  void release_pinned(void* pointer) override { check(cudaFreeHost(pointer), "cudaFreeHost"); }

  void* stream(int device, Stream which) override { return open(device).of(which); }

  void copy(int device, Stream which, Copy direction, void* to, const void* from,
            std::size_t bytes) override {
    const cudaMemcpyKind kind = direction == Copy::HostToDevice   ? cudaMemcpyHostToDevice
                                : direction == Copy::DeviceToHost ? cudaMemcpyDeviceToHost
                                                                  : cudaMemcpyDeviceToDevice;
    if (bytes == 0) return;
    const cudaStream_t stream = open(device).of(which);
    const bool ordinary = (direction == Copy::HostToDevice && is_ordinary_memory(from)) ||
                          (direction == Copy::DeviceToHost && is_ordinary_memory(to));
    if (ordinary && cuda::is_capturing(stream)) {  // CUDA itself would let it pass
      throw DeviceError(
          "a copy from or to ordinary host memory cannot be captured: every replay would use its "
          "address, whatever lies there by then; page-locked memory is needed");
    }
    check(cudaMemcpyAsync(to, from, bytes, kind, stream), "cudaMemcpyAsync");
    // CUDA has often finished with pageable memory by now, but does not guarantee it.
    if (ordinary) check(cudaStreamSynchronize(stream), "waiting for a copy");
  }

  void wait(int device, Stream waiting, Stream done) override {
    Streams& streams = open(device);
    const cudaEvent_t event = streams.passed[static_cast<std::size_t>(done)].get();
    check(cudaEventRecord(event, streams.of(done)), "cudaEventRecord");
    check(cudaStreamWaitEvent(streams.of(waiting), event, 0), "cudaStreamWaitEvent");
  }

  std::unique_ptr<CudaMark> mark(int device, Stream which) override {
    const Streams& streams = open(device);
    return std::make_unique<Mark>(streams.of(which), streams.compute, streams.copy);
  }

  void synchronize(int device, Stream which) override {
    check(cudaStreamSynchronize(open(device).of(which)), "waiting for the device");
  }

  void count_up(int device, std::int64_t* counter, const float* skip) override {
    cuda::count_up(counter, skip, open(device).compute);
  }

  void begin_capture(int device) override {
    // Relaxed: other threads, and the allocator, may make calls that a strict capture forbids.
    check(cudaStreamBeginCapture(open(device).compute, cudaStreamCaptureModeRelaxed),
          "cudaStreamBeginCapture");
  }

  std::unique_ptr<CudaGraph> end_capture(int device) override {
    const cudaStream_t compute = open(device).compute;
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(compute, &graph), "cudaStreamEndCapture");
    return std::make_unique<Graph>(device, compute, graph);
  }

  bool is_capturing(int device) override { return cuda::is_capturing(open(device).compute); }

  bool tf32_allowed() override { return cuda::tf32_allowed(); }
  void allow_tf32(bool allowed) override { cuda::allow_tf32(allowed); }

 private:
  static std::string found_or(const std::string& version, const std::string& missing) {
    return version.empty() ? "missing, so hanok's own kernels compute (" + missing + ")" : version;
  }

  struct Streams {
    cudaStream_t compute = nullptr;
    cudaStream_t copy = nullptr;
    Event passed[2];  // by Stream

    Streams() {
      check(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking), "cudaStreamCreate");
      check(cudaStreamCreateWithFlags(&copy, cudaStreamNonBlocking), "cudaStreamCreate");
    }
    cudaStream_t of(Stream which) const { return which == Stream::Compute ? compute : copy; }
  };

  /// The device's streams; makes the device current. Checks the device at first use.
  Streams& open(int device) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Streams>& streams = streams_[device];
    if (streams == nullptr) require_device(device);
    check(cudaSetDevice(device), "cudaSetDevice");
    // Never destroyed: the driver may be gone when static objects are destroyed.
    if (streams == nullptr) streams = std::make_unique<Streams>();
    return *streams;
  }

  std::mutex mutex_;
  std::map<int, std::unique_ptr<Streams>> streams_;
};

}  // namespace
}  // namespace hanok::cuda

namespace hanok {

CudaRuntime* cuda_runtime() {
  static auto* runtime =
      new cuda::Runtime();  // NOLINT(cppcoreguidelines-owning-memory): see open()
  return runtime;
}

}  // namespace hanok
