#include "engine/runtime.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <sched.h>
#include <string>
#include <utility>

#include "engine/allocator.h"
#include "kernels/base/error.h"
#include "kernels/cpu/cpu_backend.h"

namespace hanok {
namespace {

/// CPUs in this process's affinity mask, or fewer if the control group grants less time than that.
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

/// Each thread that runs ops has its own scratch memory; the compute threads are shared.
struct ThreadContext {
  std::shared_ptr<ThreadPool> threads;
  Workspace workspace;
  std::optional<ExecContext> context;

  ThreadContext()
      : workspace(
            [](std::size_t bytes) {
              return allocator_of(Device::cpu()).allocate(bytes, "workspace");
            },
            [](void* data, std::size_t) { allocator_of(Device::cpu()).deallocate(data); }) {}

  ExecContext& get() {
    std::shared_ptr<ThreadPool> current = pool().get();
    if (current != threads) {
      threads = std::move(current);
      context.emplace(ExecContext{*threads, workspace, nullptr});
    }
    return *context;
  }
};

void require_cpu(Device device) {
  if (!device.is_cpu()) {
    throw DeviceError("device " + device.to_string() + ": this build has no CUDA backend");
  }
}

thread_local std::int64_t nominal_batch_here = 0;

std::unique_ptr<Backend>& cpu_backend() {
  static std::unique_ptr<Backend> backend = cpu::make_backend(cpu::choose_isa());
  return backend;
}

}  // namespace

Backend& backend_of(Device device) {
  require_cpu(device);
  return *cpu_backend();
}

std::unique_ptr<Backend> exchange_backend(Device device, std::unique_ptr<Backend> backend) {
  require_cpu(device);
  if (backend == nullptr) throw ValueError("exchange_backend: the new backend is null");
  return std::exchange(cpu_backend(), std::move(backend));
}

ExecContext& context_of(Device device) {
  require_cpu(device);
  thread_local ThreadContext context;
  return context.get();
}

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
