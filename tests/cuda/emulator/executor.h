// The state of the running block, shared by the parts of the emulator.
#pragma once

#include <cstdint>
#include <hanok_emulator.h>
#include <string>
#include <vector>

#include "tests/cuda/emulator/fiber.h"

namespace hanok::emulator {

constexpr int kMaxThreads = 1024;
constexpr int kWarpThreads = 32;
constexpr int kMaxWarps = kMaxThreads / kWarpThreads;

struct Thread {
  enum class State : std::uint8_t { Unstarted, Ready, AtBarrier, InWarp, Ended };
  State state = State::Unstarted;
  int value = 0;      // argument of a block-wide barrier
  unsigned mask = 0;  // of a warp operation
  Site site{};        // where it waits
  Fiber* fiber = nullptr;
};

/// Lanes of a warp that wait for each other.
struct Group {
  unsigned mask, arrived;
  int buffer;
  Site site;
};
struct Warp {
  unsigned present = 0, ended = 0;  // lanes
  std::vector<Group> groups;
  std::uint64_t buffers_in_use = 0;
  unsigned unread[kWarpThreads + 1] = {};  // lanes that have not yet read a buffer's values
};

/// The running launch and block; only one at a time per process.
struct Running {
  const Launch* launch = nullptr;  // null between launches
  int threads = 0;                 // of a block
  uint3 block{};
  int current = -1;  // index of the running thread in the block
  int alive = 0;     // threads that have not ended
  Thread thread[kMaxThreads];
  uint3 index[kMaxThreads];  // threadIdx of each
  Warp warp[kMaxWarps];
  std::vector<int> ready;
  std::uint32_t block_serial = 0;   // counts blocks of all launches
  std::uint32_t first_serial = 0;   // of this launch
  std::uint32_t barrier_epoch = 0;  // barriers that the block has passed
};
extern Running running;

/// True on the stack of a kernel's thread.
inline bool in_kernel() {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return here >= stacks_begin && here < stacks_end;
}

/// Marks a waiting thread as ready.
void make_ready(int thread);
/// Stops the running thread until it is marked ready.
void suspend();
/// Aborts the launch: none of its threads continues.
[[noreturn]] void abandon();
/// A pseudo-random number below `end`, from the seed.
std::uint32_t random_below(std::uint32_t end);
/// Whether HANOK_SKIP_BARRIER=file:line disables this barrier.
bool skipped(const Site& site);

/// "(3,0,0)"
std::string text_of(const uint3& index);
/// "reduce.cu:31"
std::string text_of(const Site& site);

// ---- findings (report.cpp) ----

/// Records a finding of the running launch. The text does not contain the kernel's name.
void report(Report::Kind kind, const std::string& text);
/// After a launch: throws its first finding unless a Collect is alive.
void settle(const void* kernel);

// ---- names and lines (symbols.cpp) ----

/// "reduce.cu:sum_kernel" for a function's address.
std::string function_name(const void* address);
/// The running program's file, and its load address.
std::string program_path();
std::uintptr_t load_address();
/// "reduce.cu:31" for code addresses; calls addr2line once for all of them.
std::vector<std::string> lines_of(const std::vector<std::uintptr_t>& addresses);

// ---- counters (counters.cpp) ----

void count_launch(const void* kernel);
void count_barrier(const Site& site);

// ---- hooks for the race detector; without effect in a program without it ----

struct RaceHooks {
  void (*launch_begins)();
  void (*block_begins)();
  void (*lanes_met)(int warp, unsigned mask);
  void (*fence)();
  void (*atomic)(const void* address, unsigned size, const void* instruction);
  void (*launch_ends)();
};
extern const RaceHooks* race_hooks;

/// Addresses of the emulator that kernels' code reads and that are exempt from race detection.
struct alignas(4096) Visible {
  Lanes lanes[kMaxWarps][kWarpThreads + 1];
};
extern Visible visible;
/// The launch's dynamic shared memory: [begin, begin + launch->shared_bytes).
constexpr std::size_t kMaxSharedBytes = 227 << 10;
extern unsigned char* const dynamic_shared_begin;

}  // namespace hanok::emulator
