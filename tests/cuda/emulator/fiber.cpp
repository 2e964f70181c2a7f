#include "tests/cuda/emulator/fiber.h"

#include <new>
#include <pthread.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define HANOK_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define HANOK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HANOK_ASAN 1
#elif __has_feature(thread_sanitizer)
#define HANOK_TSAN 1
#endif
#endif
#ifdef HANOK_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HANOK_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#ifdef __x86_64__
// Saves the callee-saved registers, switches stacks, restores. The call clobbers all others anyway.
extern "C" void hanok_switch_stacks(void** from, void* to);
asm(R"(
.text
.type hanok_switch_stacks, @function
.globl hanok_switch_stacks
hanok_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size hanok_switch_stacks, .-hanok_switch_stacks
)");
#else
#include <ucontext.h>
#endif

namespace hanok::emulator {

std::uintptr_t stacks_begin = 0, stacks_end = 0;

namespace {

constexpr std::size_t kGuardBytes = 4096;

char* stack_of(int number) {
  if (stacks_begin == 0) {
    const std::size_t bytes = kStackBytes * kMaxFibers;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stacks_begin = reinterpret_cast<std::uintptr_t>(memory);
    stacks_end = stacks_begin + bytes;
  }
  char* stack = reinterpret_cast<char*>(stacks_begin) + kStackBytes * number;
  mprotect(stack, kGuardBytes, PROT_NONE);  // a stack overflow is a segmentation fault
  return stack;
}

}  // namespace

void prepare(Fiber& fiber, int number, void (*entry)()) {
  if (fiber.stack == nullptr) {
    fiber.stack = stack_of(number);
    fiber.stack_bytes = kStackBytes;
  }
#ifdef HANOK_ASAN
  __asan_unpoison_memory_region(fiber.stack + kGuardBytes, kStackBytes - kGuardBytes);
#endif
#ifdef HANOK_TSAN
  if (fiber.sanitizer_state != nullptr) __tsan_destroy_fiber(fiber.sanitizer_state);
  fiber.sanitizer_state = __tsan_create_fiber(0);
#endif
#ifdef __x86_64__
  // Different offsets for the tops: equal ones would map to the same cache sets.
  const std::size_t offset = static_cast<std::size_t>(number % 61) * 64;
  auto* top = reinterpret_cast<void**>(fiber.stack + kStackBytes - 64 - offset);
  *--top = nullptr;  // the place of a return address
  *--top = reinterpret_cast<void*>(entry);
  for (int registers = 0; registers < 6; ++registers) *--top = nullptr;
  fiber.stack_pointer = top;
#else
  auto* context = static_cast<ucontext_t*>(fiber.stack_pointer);
  if (context == nullptr) context = new ucontext_t;  // one per fiber, never freed
  getcontext(context);
  context->uc_stack.ss_sp = fiber.stack + kGuardBytes;
  context->uc_stack.ss_size = kStackBytes - kGuardBytes;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  fiber.stack_pointer = context;
#endif
}

void prepare_host(Fiber& fiber) {
#ifdef HANOK_ASAN
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  void* stack = nullptr;
  pthread_attr_getstack(&attributes, &stack, &fiber.stack_bytes);
  pthread_attr_destroy(&attributes);
  fiber.stack = static_cast<char*>(stack);
#endif
#ifdef HANOK_TSAN
  fiber.sanitizer_state = __tsan_get_current_fiber();
#endif
#ifndef __x86_64__
  if (fiber.stack_pointer == nullptr) fiber.stack_pointer = new ucontext_t;
#endif
  (void)fiber;
}

void switch_fibers(Fiber& from, Fiber& to) {
#ifdef HANOK_ASAN
  __sanitizer_start_switch_fiber(&from.sanitizer_state, to.stack, to.stack_bytes);
#endif
#ifdef HANOK_TSAN
  __tsan_switch_to_fiber(to.sanitizer_state, 0);
#endif
#ifdef __x86_64__
  hanok_switch_stacks(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(static_cast<ucontext_t*>(from.stack_pointer),
              static_cast<ucontext_t*>(to.stack_pointer));
#endif
#ifdef HANOK_ASAN
  __sanitizer_finish_switch_fiber(from.sanitizer_state, nullptr, nullptr);
#endif
}

void entered() {
#ifdef HANOK_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace hanok::emulator
