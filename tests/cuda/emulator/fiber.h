// Fibers: stacks that are switched in user space, in a few nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanok::emulator {

/// A stack and the point where its code stopped. The host thread, on its own stack, is one too.
struct Fiber {
  void* stack_pointer = nullptr;
  char* stack = nullptr;  // lowest byte; null for the host
  std::size_t stack_bytes = 0;
  void* sanitizer_state = nullptr;
};

/// One address range contains all stacks, so that two comparisons identify a pointer into a stack.
constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr int kMaxFibers = 1025;  // a block's threads and their starter
extern std::uintptr_t stacks_begin, stacks_end;

/// Creates or resets a fiber whose next switch_to runs `entry`, which must not return.
void prepare(Fiber& fiber, int number, void (*entry)());
/// Before a host thread's first switch: passes its stack's bounds to sanitizers.
void prepare_host(Fiber& fiber);
/// Suspends `from`, the running fiber, and resumes `to`.
void switch_fibers(Fiber& from, Fiber& to);
/// The first call in an entry function.
void entered();

}  // namespace hanok::emulator
