// inspect devices: the devices that ops can run on here, as the system reports them.
#include <cstdlib>
#include <fmt/format.h>
#include <string>
#include <thread>
#include <unistd.h>

#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/run/environment.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::inspection {
namespace {

std::string cache_text(int name) {
  const long bytes = ::sysconf(name);
  return bytes > 0 ? fmt::format("{} KiB", bytes / 1024) : "unknown";
}

double gibibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1U << 30); }

}  // namespace

void inspect_devices(Reporter& reporter) {
  const std::string name = training::cpu_info("model name");
  const char* forced = std::getenv("HANOK_ISA");
  reporter.print(fmt::format("cpu: {}\n", name.empty() ? "unknown processor" : name));
  reporter.print(fmt::format("  cores: {} for this process, of {} in the machine\n", num_threads(),
                             std::thread::hardware_concurrency()));
  reporter.print(fmt::format("  instruction-set path: {} ({})\n", backend_of(Device::cpu()).name(),
                             forced != nullptr && *forced != '\0'
                                 ? "forced by HANOK_ISA"
                                 : "by cpuid; HANOK_ISA=portable, avx2 or avx512 forces one"));
  reporter.print(fmt::format("  caches: L1 {}, L2 {}, L3 {}\n", cache_text(_SC_LEVEL1_DCACHE_SIZE),
                             cache_text(_SC_LEVEL2_CACHE_SIZE), cache_text(_SC_LEVEL3_CACHE_SIZE)));
  reporter.print(fmt::format("  memory budget: {:.2f} GiB (80% of what was left of {:.2f} GiB)\n",
                             gibibytes(allocator_of(Device::cpu()).statistics().budget),
                             gibibytes(static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
                                       static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)))));
  if (cuda_runtime() == nullptr) {
    reporter.print("cuda: none (this build has no CUDA backend)\n");
    return;
  }
  reporter.print("cuda:\n");
  for (const std::string& line : cuda_runtime()->describe())
    reporter.print(fmt::format("  {}\n", line));
}

}  // namespace hanok::inspection
