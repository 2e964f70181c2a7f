#include "tests/support/failing_new.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace hanok::test {
namespace {

thread_local bool counting = false;
thread_local std::int64_t calls_counted = 0;
thread_local std::int64_t call_that_fails = 0;
std::atomic<std::int64_t> blocks{0};

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (counting && ++calls_counted == call_that_fails) throw std::bad_alloc();
  void* pointer = nullptr;
  if (posix_memalign(&pointer, alignment, bytes == 0 ? 1 : bytes) != 0) throw std::bad_alloc();
  blocks.fetch_add(1, std::memory_order_relaxed);
  return pointer;
}

void* allocate_or_null(std::size_t bytes, std::size_t alignment) noexcept {
  try {
    return allocate(bytes, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void release(void* pointer) {
  if (pointer == nullptr) return;
  blocks.fetch_sub(1, std::memory_order_relaxed);
  std::free(pointer);
}

}  // namespace

FailingNew::FailingNew(std::int64_t number) {
  calls_counted = 0;
  call_that_fails = number;
  counting = true;
}

FailingNew::~FailingNew() { counting = false; }

std::int64_t FailingNew::calls() const { return calls_counted; }

std::int64_t live_blocks() { return blocks.load(); }

}  // namespace hanok::test

// All forms, as those that are left out are a sanitizer's own, whose blocks only it may free.
void* operator new(std::size_t bytes) {
  return hanok::test::allocate(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return hanok::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return operator new(bytes, alignment);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return hanok::test::allocate_or_null(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes, const std::nothrow_t& nothrow) noexcept {
  return operator new(bytes, nothrow);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return hanok::test::allocate_or_null(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment,
                     const std::nothrow_t& nothrow) noexcept {
  return operator new(bytes, alignment, nothrow);
}

void operator delete(void* pointer) noexcept { hanok::test::release(pointer); }
void operator delete[](void* pointer) noexcept { hanok::test::release(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { hanok::test::release(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { hanok::test::release(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { hanok::test::release(pointer); }
void operator delete[](void* pointer, std::align_val_t) noexcept { hanok::test::release(pointer); }
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept {
  hanok::test::release(pointer);
}
void operator delete[](void* pointer, std::size_t, std::align_val_t) noexcept {
  hanok::test::release(pointer);
}
void operator delete(void* pointer, const std::nothrow_t&) noexcept {
  hanok::test::release(pointer);
}
void operator delete[](void* pointer, const std::nothrow_t&) noexcept {
  hanok::test::release(pointer);
}
void operator delete(void* pointer, std::align_val_t, const std::nothrow_t&) noexcept {
  hanok::test::release(pointer);
}
void operator delete[](void* pointer, std::align_val_t, const std::nothrow_t&) noexcept {
  hanok::test::release(pointer);
}
