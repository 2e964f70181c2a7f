// Barriers, warp operations and atomics. Each is a rendezvous of fibers (tests/cuda/emulator); the
// defaulted arguments pass the call's line to reports.
#pragma once

#include <hanok_emulated_types.h>
#include <stdint.h>
#include <string.h>
#include <type_traits>

namespace hanok::emulator {

/// A call in a kernel: where a thread waits.
struct Site {
  const char* file;
  int line;
  const char* what;  // "__syncthreads", "__shfl_sync", ...
};

/// Read as threadIdx, blockIdx, blockDim and gridDim by the running thread.
struct alignas(4096) Indices {  // its own page, exempt from race detection
  uint3 thread, block;
  dim3 block_dim, grid_dim;
};
extern Indices indices;

/// How a block-wide barrier combines the threads' arguments.
enum class Combine { None, Count, And, Or };
int block_barrier(Combine combine, int value, const Site& site);

/// Waits for the lanes of `mask` (which includes the calling lane), which must make the same call,
/// and returns all their values.
struct Lanes {
  uint64_t value[32];
  unsigned present;  // the lanes that passed a value
};
const Lanes& warp_exchange(unsigned mask, uint64_t value, const Site& site);
unsigned lane();
unsigned active_lanes();
void report_lane(const Site& site, unsigned source);

/// Wraps an atomic operation: bounds checks, and races with plain accesses, under the race
/// detector.
void atomic_access(const void* address, unsigned size, const void* instruction);
/// __threadfence and its variants.
void fence();

/// The lane that `lane` reads in a shuffle with segments of `width` lanes, by CUDA's rules.
enum class Shuffle { Index, Up, Down, Xor };
unsigned shuffle_source(Shuffle kind, unsigned lane, int offset, int width);

template <typename T>
T shuffle(Shuffle kind, unsigned mask, T value, int offset, int width, const Site& site) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  const unsigned own = lane();
  const unsigned source = shuffle_source(kind, own, offset, width);
  const Lanes& lanes = warp_exchange(mask, bits, site);
  if (((lanes.present >> source) & 1U) == 0) {
    report_lane(site, source);
    return value;
  }
  bits = lanes.value[source];
  T result;
  memcpy(&result, &bits, sizeof(T));
  return result;
}

}  // namespace hanok::emulator

#define threadIdx (::hanok::emulator::indices.thread)
#define blockIdx (::hanok::emulator::indices.block)
#define blockDim (::hanok::emulator::indices.block_dim)
#define gridDim (::hanok::emulator::indices.grid_dim)
constexpr int warpSize = 32;

#define HANOK_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

// ---- the block ----

inline void __syncthreads(HANOK_HERE) {
  ::hanok::emulator::block_barrier(::hanok::emulator::Combine::None, 0,
                                   {file, line, "__syncthreads"});
}
inline int __syncthreads_count(int predicate, HANOK_HERE) {
  return ::hanok::emulator::block_barrier(::hanok::emulator::Combine::Count, predicate,
                                          {file, line, "__syncthreads_count"});
}
inline int __syncthreads_and(int predicate, HANOK_HERE) {
  return ::hanok::emulator::block_barrier(::hanok::emulator::Combine::And, predicate,
                                          {file, line, "__syncthreads_and"});
}
inline int __syncthreads_or(int predicate, HANOK_HERE) {
  return ::hanok::emulator::block_barrier(::hanok::emulator::Combine::Or, predicate,
                                          {file, line, "__syncthreads_or"});
}
inline void __threadfence() { ::hanok::emulator::fence(); }
inline void __threadfence_block() { ::hanok::emulator::fence(); }
inline void __threadfence_system() { ::hanok::emulator::fence(); }

// ---- the warp ----

inline void __syncwarp(unsigned mask = 0xffffffffU, HANOK_HERE) {
  ::hanok::emulator::warp_exchange(mask, 0, {file, line, "__syncwarp"});
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, HANOK_HERE) {
  return ::hanok::emulator::shuffle(::hanok::emulator::Shuffle::Index, mask, value, source, width,
                                    {file, line, "__shfl_sync"});
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, HANOK_HERE) {
  return ::hanok::emulator::shuffle(::hanok::emulator::Shuffle::Up, mask, value,
                                    static_cast<int>(delta), width, {file, line, "__shfl_up_sync"});
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, HANOK_HERE) {
  return ::hanok::emulator::shuffle(::hanok::emulator::Shuffle::Down, mask, value,
                                    static_cast<int>(delta), width,
                                    {file, line, "__shfl_down_sync"});
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, HANOK_HERE) {
  return ::hanok::emulator::shuffle(::hanok::emulator::Shuffle::Xor, mask, value, lane_mask, width,
                                    {file, line, "__shfl_xor_sync"});
}
inline unsigned __ballot_sync(unsigned mask, int predicate, HANOK_HERE) {
  const auto& lanes =
      ::hanok::emulator::warp_exchange(mask, predicate != 0 ? 1 : 0, {file, line, "__ballot_sync"});
  unsigned ballot = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if (((lanes.present >> i) & 1U) != 0 && lanes.value[i] != 0) ballot |= 1U << i;
  }
  return ballot;
}
inline int __any_sync(unsigned mask, int predicate, HANOK_HERE) {
  return __ballot_sync(mask, predicate, file, line) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, HANOK_HERE) {
  return __ballot_sync(mask, predicate == 0 ? 1 : 0, file, line) == 0 ? 1 : 0;
}
inline unsigned __match_any_sync(unsigned mask, unsigned value, HANOK_HERE) {
  const auto& lanes =
      ::hanok::emulator::warp_exchange(mask, value, {file, line, "__match_any_sync"});
  unsigned same = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if (((lanes.present >> i) & 1U) != 0 && lanes.value[i] == value) same |= 1U << i;
  }
  return same;
}
#define HANOK_WARP_REDUCE(name, T, expression)                                                     \
  inline T name(unsigned mask, T value, HANOK_HERE) {                                              \
    const auto& lanes =                                                                            \
        ::hanok::emulator::warp_exchange(mask, static_cast<unsigned>(value), {file, line, #name}); \
    T a = value;                                                                                   \
    bool first = true;                                                                             \
    for (unsigned i = 0; i < 32; ++i) {                                                            \
      if (((lanes.present >> i) & 1U) == 0) continue;                                              \
      const T b = static_cast<T>(static_cast<unsigned>(lanes.value[i]));                           \
      a = first ? b : static_cast<T>(expression);                                                  \
      first = false;                                                                               \
    }                                                                                              \
    return a;                                                                                      \
  }
HANOK_WARP_REDUCE(__reduce_add_sync, unsigned, a + b)
HANOK_WARP_REDUCE(__reduce_add_sync, int, static_cast<unsigned>(a) + static_cast<unsigned>(b))
HANOK_WARP_REDUCE(__reduce_min_sync, unsigned, b < a ? b : a)
HANOK_WARP_REDUCE(__reduce_min_sync, int, b < a ? b : a)
HANOK_WARP_REDUCE(__reduce_max_sync, unsigned, b < a ? a : b)
HANOK_WARP_REDUCE(__reduce_max_sync, int, b < a ? a : b)
HANOK_WARP_REDUCE(__reduce_or_sync, unsigned, a | b)
HANOK_WARP_REDUCE(__reduce_and_sync, unsigned, a& b)
#undef HANOK_WARP_REDUCE
/// The lanes that have not ended, since the emulator's threads do not run in lockstep.
inline unsigned __activemask() { return ::hanok::emulator::active_lanes(); }

// ---- atomics: only one fiber runs at a time, so the operation itself is plain ----

#define HANOK_ATOMIC(name, T, result)                                                   \
  __attribute__((noinline, no_sanitize("thread"))) inline T name(T* address, T value) { \
    ::hanok::emulator::atomic_access(address, sizeof(T), __builtin_return_address(0));  \
    const T old = *address;                                                             \
    *address = static_cast<T>(result);                                                  \
    return old;                                                                         \
  }
#define HANOK_ATOMIC_INTEGERS(name, result) \
  HANOK_ATOMIC(name, unsigned, result)      \
  HANOK_ATOMIC(name, unsigned long long, result)
HANOK_ATOMIC_INTEGERS(atomicAdd, old + value)
HANOK_ATOMIC(atomicAdd, int, static_cast<unsigned>(old) + static_cast<unsigned>(value))
HANOK_ATOMIC(atomicAdd, float, old + value)
HANOK_ATOMIC(atomicAdd, double, old + value)
HANOK_ATOMIC(atomicSub, unsigned, old - value)
HANOK_ATOMIC(atomicSub, int, static_cast<unsigned>(old) - static_cast<unsigned>(value))
HANOK_ATOMIC_INTEGERS(atomicMax, old < value ? value : old)
HANOK_ATOMIC(atomicMax, int, old < value ? value : old)
HANOK_ATOMIC(atomicMax, long long, old < value ? value : old)
HANOK_ATOMIC_INTEGERS(atomicMin, value < old ? value : old)
HANOK_ATOMIC(atomicMin, int, value < old ? value : old)
HANOK_ATOMIC(atomicMin, long long, value < old ? value : old)
HANOK_ATOMIC_INTEGERS(atomicExch, value)
HANOK_ATOMIC(atomicExch, int, value)
HANOK_ATOMIC(atomicExch, float, value)
HANOK_ATOMIC_INTEGERS(atomicOr, old | value)
HANOK_ATOMIC(atomicOr, int, old | value)
HANOK_ATOMIC_INTEGERS(atomicAnd, old& value)
HANOK_ATOMIC(atomicAnd, int, old& value)
HANOK_ATOMIC_INTEGERS(atomicXor, old ^ value)
HANOK_ATOMIC(atomicXor, int, old ^ value)
HANOK_ATOMIC(atomicInc, unsigned, old >= value ? 0U : old + 1U)
HANOK_ATOMIC(atomicDec, unsigned, old == 0U || old > value ? value : old - 1U)
#undef HANOK_ATOMIC
#undef HANOK_ATOMIC_INTEGERS
#define HANOK_ATOMIC_CAS(T)                                                                   \
  __attribute__((noinline, no_sanitize("thread"))) inline T atomicCAS(T* address, T expected, \
                                                                      T value) {              \
    ::hanok::emulator::atomic_access(address, sizeof(T), __builtin_return_address(0));        \
    const T old = *address;                                                                   \
    if (old == expected) *address = value;                                                    \
    return old;                                                                               \
  }
HANOK_ATOMIC_CAS(int)
HANOK_ATOMIC_CAS(unsigned)
HANOK_ATOMIC_CAS(unsigned long long)
HANOK_ATOMIC_CAS(unsigned short)
#undef HANOK_ATOMIC_CAS
