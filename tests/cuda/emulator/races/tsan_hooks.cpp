// The functions that the compiler calls before each access under `-fsanitize=thread`. The
// sanitizer's own library is not linked: these functions call the emulator's race detector instead.
#include <cstddef>
#include <cstdint>

#include "tests/cuda/emulator/races/races.h"

using hanok::emulator::touch;
using hanok::emulator::Touch;

#define HANOK_HERE __builtin_return_address(0)

#define HANOK_ACCESS(size)                                                                        \
  void __tsan_read##size(void* p) { touch(p, size, Touch::Read, HANOK_HERE); }                    \
  void __tsan_write##size(void* p) { touch(p, size, Touch::Write, HANOK_HERE); }                  \
  void __tsan_unaligned_read##size(void* p) { touch(p, size, Touch::Read, HANOK_HERE); }          \
  void __tsan_unaligned_write##size(void* p) { touch(p, size, Touch::Write, HANOK_HERE); }        \
  void __tsan_volatile_read##size(void* p) { touch(p, size, Touch::Read, HANOK_HERE); }           \
  void __tsan_volatile_write##size(void* p) { touch(p, size, Touch::Write, HANOK_HERE); }         \
  void __tsan_unaligned_volatile_read##size(void* p) { touch(p, size, Touch::Read, HANOK_HERE); } \
  void __tsan_unaligned_volatile_write##size(void* p) {                                           \
    touch(p, size, Touch::Write, HANOK_HERE);                                                     \
  }                                                                                               \
  void __tsan_read_write##size(void* p) {                                                         \
    touch(p, size, Touch::Read, HANOK_HERE);                                                      \
    touch(p, size, Touch::Write, HANOK_HERE);                                                     \
  }                                                                                               \
  void __tsan_unaligned_read_write##size(void* p) {                                               \
    touch(p, size, Touch::Read, HANOK_HERE);                                                      \
    touch(p, size, Touch::Write, HANOK_HERE);                                                     \
  }

// Host code in the same files uses atomics for reference counts and local statics. They are
// executed, and reported as atomic inside a kernel.
#define HANOK_FETCH(bits, name, builtin)                                               \
  std::uint##bits##_t __tsan_atomic##bits##_##name(volatile std::uint##bits##_t* p,    \
                                                   std::uint##bits##_t value, int) {   \
    touch(const_cast<std::uint##bits##_t*>(p), (bits) / 8, Touch::Atomic, HANOK_HERE); \
    return builtin(p, value, __ATOMIC_SEQ_CST);                                        \
  }
#define HANOK_CAS(bits, name)                                                              \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile std::uint##bits##_t* p,       \
                                                    std::uint##bits##_t* expected,         \
                                                    std::uint##bits##_t value, int, int) { \
    touch(const_cast<std::uint##bits##_t*>(p), (bits) / 8, Touch::Atomic, HANOK_HERE);     \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,        \
                                       __ATOMIC_SEQ_CST)                                   \
               ? 1                                                                         \
               : 0;                                                                        \
  }
#define HANOK_ATOMICS(bits)                                                                      \
  std::uint##bits##_t __tsan_atomic##bits##_load(const volatile std::uint##bits##_t* p, int) {   \
    touch(const_cast<const std::uint##bits##_t*>(p), (bits) / 8, Touch::Atomic, HANOK_HERE);     \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                              \
  void __tsan_atomic##bits##_store(volatile std::uint##bits##_t* p, std::uint##bits##_t value,   \
                                   int) {                                                        \
    touch(const_cast<std::uint##bits##_t*>(p), (bits) / 8, Touch::Atomic, HANOK_HERE);           \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                \
  }                                                                                              \
  HANOK_FETCH(bits, exchange, __atomic_exchange_n)                                               \
  HANOK_FETCH(bits, fetch_add, __atomic_fetch_add)                                               \
  HANOK_FETCH(bits, fetch_sub, __atomic_fetch_sub)                                               \
  HANOK_FETCH(bits, fetch_and, __atomic_fetch_and)                                               \
  HANOK_FETCH(bits, fetch_or, __atomic_fetch_or)                                                 \
  HANOK_FETCH(bits, fetch_xor, __atomic_fetch_xor)                                               \
  HANOK_FETCH(bits, fetch_nand, __atomic_fetch_nand)                                             \
  HANOK_CAS(bits, strong)                                                                        \
  HANOK_CAS(bits, weak)                                                                          \
  std::uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                \
      volatile std::uint##bits##_t* p, std::uint##bits##_t expected, std::uint##bits##_t value,  \
      int, int) {                                                                                \
    touch(const_cast<std::uint##bits##_t*>(p), (bits) / 8, Touch::Atomic, HANOK_HERE);           \
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    return expected;                                                                             \
  }

extern "C" {

void __tsan_init() { hanok::emulator::watch_races(); }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

HANOK_ACCESS(1)
HANOK_ACCESS(2)
HANOK_ACCESS(4)
HANOK_ACCESS(8)
HANOK_ACCESS(16)

void __tsan_read_range(void* p, std::size_t size) { touch(p, size, Touch::Read, HANOK_HERE); }
void __tsan_write_range(void* p, std::size_t size) { touch(p, size, Touch::Write, HANOK_HERE); }
void* __tsan_memcpy(void* to, const void* from, std::size_t size) {
  touch(from, size, Touch::Read, HANOK_HERE);
  touch(to, size, Touch::Write, HANOK_HERE);
  return __builtin_memcpy(to, from, size);
}
void* __tsan_memmove(void* to, const void* from, std::size_t size) {
  touch(from, size, Touch::Read, HANOK_HERE);
  touch(to, size, Touch::Write, HANOK_HERE);
  return __builtin_memmove(to, from, size);
}
void* __tsan_memset(void* to, int value, std::size_t size) {
  touch(to, size, Touch::Write, HANOK_HERE);
  return __builtin_memset(to, value, size);
}

HANOK_ATOMICS(8)
HANOK_ATOMICS(16)
HANOK_ATOMICS(32)
HANOK_ATOMICS(64)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
