// Fibers: stacks of their own that are switched between by hand, some nanoseconds a switch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanok::emulator {

/// A stack and where its code stopped. The host thread, on its own stack, is one too.
struct Fiber {
  void* stack_pointer = nullptr;
  char* stack = nullptr;  // lowest byte; null for the host
  std::size_t stack_bytes = 0;
  void* sanitizer_state = nullptr;
};

/// One address range holds all stacks, so that a pointer into a stack is told by two comparisons.
constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr int kMaxFibers = 1025;  // a block's threads and one that starts them
extern std::uintptr_t stacks_begin, stacks_end;

/// Makes (again) a fiber whose next switch_to runs `entry`, which must not return.
void prepare(Fiber& fiber, int number, void (*entry)());
/// Before a host thread's first switch: tells sanitizers where its stack lies.
void prepare_host(Fiber& fiber);
/// Stops `from`, the running one, and goes on with `to`.
void switch_fibers(Fiber& from, Fiber& to);
/// First call of an entry function.
void entered();

}  // namespace hanok::emulator
