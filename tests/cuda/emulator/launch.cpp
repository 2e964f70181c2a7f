// Between launch() and execute(): CUDA's limits, and the sink that owns the streams.
#include <cstdlib>
#include <map>
#include <mutex>

#include "tests/cuda/emulator/executor.h"

namespace hanok::emulator {
namespace {

std::mutex mutex;
// Created at first use, possibly during the initialisation of another file's statics.
struct State {
  Sink sink;
  std::map<const void*, int> allowed_shared_bytes;  // by cudaFuncSetAttribute
};
State& state() {
  static State instance;
  return instance;
}

constexpr std::size_t kSharedBytesWithoutAsking = 48 << 10;

std::string text_of_dim(const dim3& d) { return text_of(uint3{d.x, d.y, d.z}); }

/// The reason why CUDA would reject the launch; empty if it would not.
std::string objection(const Launch& launch) {
  const dim3& block = launch.block;
  const dim3& grid = launch.grid;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || block.x > 1024 || block.y > 1024 || block.z > 64 || threads > kMaxThreads) {
    return "a block of " + text_of_dim(block) + " threads; at most 1024, of which 64 in z";
  }
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffU || grid.y > 65535 ||
      grid.z > 65535) {
    return "a grid of " + text_of_dim(grid) + " blocks; from 1 to (2147483647,65535,65535)";
  }
  std::size_t allowed = kSharedBytesWithoutAsking;
  const std::lock_guard lock(mutex);
  const auto& allowances = state().allowed_shared_bytes;
  const auto asked = allowances.find(launch.kernel);
  if (asked != allowances.end() && asked->second > static_cast<int>(allowed)) {
    allowed = static_cast<std::size_t>(asked->second);
  }
  if (launch.shared_bytes > allowed) {
    return std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory; " +
           std::to_string(allowed) +
           " are allowed (cudaFuncAttributeMaxDynamicSharedMemorySize, at most 232448)";
  }
  return "";
}

void seed_from_environment() {
  const char* seed = std::getenv("HANOK_EMULATOR_SEED");
  set_seed(seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10));
}
[[maybe_unused]] const bool seeded = (seed_from_environment(), true);

}  // namespace

bool detects_races() { return race_hooks != nullptr; }

void set_sink(Sink new_sink) {
  const std::lock_guard lock(mutex);
  state().sink = std::move(new_sink);
}

void submit(Launch launch, cudaStream_t stream) {
  if (const std::string reason = objection(launch); !reason.empty()) {
    const Report refused{Report::Kind::BadLaunch, function_name(launch.kernel),
                         function_name(launch.kernel) + ": " + reason};
    throw Fault(refused);
  }
  Sink to;
  {
    const std::lock_guard lock(mutex);
    to = state().sink;
  }
  if (to) {
    to(std::move(launch), stream);
  } else {
    execute(launch);
  }
}

}  // namespace hanok::emulator

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  using namespace hanok::emulator;
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    if (value < 0 || static_cast<std::size_t>(value) > kMaxSharedBytes) {
      return cudaErrorInvalidValue;
    }
    const std::lock_guard lock(mutex);
    state().allowed_shared_bytes[kernel] = value;
  }
  return cudaSuccess;
}
