#include "hanok/engine/runtime.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sched.h>
#include <string>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cpu/cpu_backend.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok {
namespace {

/// CPUs in this process's affinity mask, or fewer if the control group's quota is lower.
int available_cpus() {
  cpu_set_t set;
  int cpus = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = std::max(1, CPU_COUNT(&set));
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0;
  double period = 0;
  if (file >> quota >> period && period > 0) {
    cpus = std::min(cpus, std::max(1, static_cast<int>(quota / period + 0.5)));
  }
  return cpus;
}

struct Pool {
  std::mutex mutex;
  std::shared_ptr<ThreadPool> threads;

  std::shared_ptr<ThreadPool> get() {
    const std::lock_guard lock(mutex);
    if (threads == nullptr) threads = std::make_shared<ThreadPool>(available_cpus());
    return threads;
  }
};

Pool& pool() {
  static auto* instance =
      new Pool();  // NOLINT(cppcoreguidelines-owning-memory): outlives all threads
  return *instance;
}

/// Each thread that runs ops has its own workspace per device; all share the compute threads.
struct ThreadContext {
  std::shared_ptr<ThreadPool> threads;
  std::unique_ptr<Workspace> own;
  Workspace* workspace;  // own, or replaced by OwnWorkspace
  void* stream;
  std::optional<ExecContext> context;

  explicit ThreadContext(Device device)
      : own(make_workspace(device)),
        workspace(own.get()),
        stream(device.is_cpu()
                   ? nullptr
                   : cuda_runtime()->stream(device.index, CudaRuntime::Stream::Compute)) {}

  ExecContext& get() {
    std::shared_ptr<ThreadPool> current = pool().get();
    if (current != threads || &context->workspace != workspace) {
      threads = std::move(current);
      context.emplace(ExecContext{*threads, *workspace, stream});
    }
    return *context;
  }
};

/// The context of this thread.
ThreadContext& thread_context(Device device) {
  if (device.is_cpu()) {
    thread_local ThreadContext context(Device::cpu());
    return context;
  }
  require_cuda(device);
  thread_local std::map<int, ThreadContext> contexts;
  const auto found = contexts.find(device.index);
  if (found != contexts.end()) return found->second;
  return contexts.emplace(device.index, device).first->second;
}

/// Kept until the process ends, like tensors of static lifetime that may need them.
std::unique_ptr<Backend>& backend_slot(Device device) {
  if (device.is_cpu()) {
    static std::unique_ptr<Backend> backend = cpu::make_backend(cpu::choose_isa());
    return backend;
  }
  require_cuda(device);
  static auto* mutex = new std::mutex();  // NOLINT(cppcoreguidelines-owning-memory)
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
  static auto* backends = new std::map<int, std::unique_ptr<Backend>>();
  const std::lock_guard lock(*mutex);
  std::unique_ptr<Backend>& backend = (*backends)[device.index];
  if (backend == nullptr) backend = cuda_runtime()->make_backend(device.index);
  return backend;
}

thread_local std::int64_t nominal_batch_here = 0;

/// A layer's packed filters may need more scratch memory than all others: between calls it serves
/// tensors. On a GPU the workspace stays where a recorded graph found it.
constexpr std::size_t kKeptByCpu = (std::size_t{1} << 20) - 1;

}  // namespace

void require_cuda(Device device) {
  if (device.is_cpu()) throw DeviceError("device cpu: a CUDA device is needed here");
  if (cuda_runtime() == nullptr) {
    throw DeviceError("device " + device.to_string() + ": this build has no CUDA backend");
  }
}

Backend& backend_of(Device device) { return *backend_slot(device); }

std::unique_ptr<Backend> exchange_backend(Device device, std::unique_ptr<Backend> backend) {
  if (backend == nullptr) throw ValueError("exchange_backend: the new backend is null");
  return std::exchange(backend_slot(device), std::move(backend));
}

ExecContext& context_of(Device device) { return thread_context(device).get(); }

std::unique_ptr<Workspace> make_workspace(Device device) {
  return std::make_unique<Workspace>(
      [device](std::size_t bytes) {
        const ShortLived scratch;
        return allocator_of(device).allocate(bytes, "workspace");
      },
      [device](void* data, std::size_t) { allocator_of(device).deallocate(data); },
      device.is_cpu() ? kKeptByCpu : Workspace::kKeepsAll);
}

OwnWorkspace::OwnWorkspace(Device device, Workspace& workspace)
    : device_(device), saved_(std::exchange(thread_context(device).workspace, &workspace)) {}

OwnWorkspace::~OwnWorkspace() { thread_context(device_).workspace = saved_; }

void set_num_threads(int threads) {
  if (threads < 1) {
    throw ValueError("set_num_threads: expected at least 1 thread, got " + std::to_string(threads));
  }
  const std::lock_guard lock(pool().mutex);
  pool().threads = std::make_shared<ThreadPool>(threads);
}

int num_threads() { return pool().get()->threads(); }

NominalBatch::NominalBatch(std::int64_t images) : saved_(nominal_batch_here) {
  if (images < 0) {
    throw ValueError("NominalBatch: expected at least 0 images, got " + std::to_string(images));
  }
  nominal_batch_here = images;
}

NominalBatch::~NominalBatch() { nominal_batch_here = saved_; }

std::int64_t nominal_batch() { return nominal_batch_here; }

}  // namespace hanok
