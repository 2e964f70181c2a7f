#include "hanok/apps/run/memory_limit.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <sys/resource.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/fold_result.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/available_memory.h"
#include "hanok/engine/communicator.h"
#include "hanok/engine/packed_weights.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
/// Measured: blocks of a kernel's tiles, the code that is run, lists of samples, results.
constexpr std::int64_t kOfAThread = 2 * kMebibyte;
constexpr std::int64_t kOfAWorker = 2 * kMebibyte;
constexpr std::int64_t kOfTheProcess = 14 * kMebibyte;
constexpr std::int64_t kLeastForTensors = 4 * kMebibyte;
constexpr std::int64_t kLoaders = 2;  // for training and for validation

/// Addresses that a thread's stack takes.
std::int64_t stack_bytes() {
  rlimit limit{};
  constexpr std::int64_t kUsual = 8 * kMebibyte;
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUsual;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

/// Processes that share this machine's memory.
std::size_t local_ranks() { return static_cast<std::size_t>(launch_of_environment().local_ranks); }

/// An arena for each thread, and freed blocks that are kept, would hold memory for nobody.
void give_back_at_once() {
#ifdef __GLIBC__
  constexpr int kLargeBlock = 256 << 10;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  mallopt(M_TRIM_THRESHOLD, kLargeBlock);
  malloc_trim(0);
#endif
}

}  // namespace

void limit_memory(std::int64_t bytes, const OtherMemory& other) {
  keep_packed_weights(true);
  const std::size_t addresses = available_address_space();
  const bool limited = addresses < std::numeric_limits<std::size_t>::max();
  if (limited || bytes > 0) give_back_at_once();
  Allocator& allocator = allocator_of(Device::cpu());
  const MemoryStatistics tensors = allocator.statistics();
  const auto held = static_cast<std::int64_t>(tensors.in_use + tensors.cached);
  const std::int64_t threads = other.threads > 0 ? other.threads : num_threads();
  const std::int64_t workers = kLoaders * other.workers;
  const std::int64_t outside =
      kOfTheProcess + threads * kOfAThread + workers * kOfAWorker + other.decoding;
  auto budget = static_cast<std::int64_t>(
      std::min<std::size_t>(available_memory() / 5 * 4 / local_ranks(), std::size_t{1} << 60) +
      tensors.in_use);
  if (limited) {
    const std::int64_t stacks = workers * stack_bytes();  // compute threads have theirs
    budget = std::min(budget, static_cast<std::int64_t>(addresses) + held - outside - stacks);
  }
  if (bytes > 0) {
    const auto resident = static_cast<std::int64_t>(resident_memory());
    const std::int64_t program = std::max<std::int64_t>(resident - held, 0);
    if (bytes - program - outside < kLeastForTensors) {
      throw UsageError(fmt::format(
          "--memory: {} MiB is too little: the program takes {} MiB, {} threads, {} workers and "
          "decoding images {} MiB, and nothing is left for tensors",
          bytes / kMebibyte, program / kMebibyte, threads, other.workers, outside / kMebibyte));
    }
    budget = std::min(budget, bytes - program - outside);
  }
  allocator.set_budget(static_cast<std::size_t>(std::max(budget, kLeastForTensors)));
}

PeakMeter::PeakMeter() : peak_before_(peak_memory_bytes()) {}

std::int64_t PeakMeter::given_back() const {
  const std::int64_t peak = peak_memory_bytes();
  if (peak <= peak_before_) return 0;
  return std::max<std::int64_t>(peak - static_cast<std::int64_t>(resident_memory()), 0);
}

}  // namespace hanok::training
