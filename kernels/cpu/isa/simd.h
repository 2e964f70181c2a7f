// What the instruction-set files share: a vector of 8 floats and loops that a compiler may turn
// into vector code.
//
// Files of kernels/cpu/isa are compiled once per path (HANOK_ISA = portable, avx2). They include C
// headers and the kernels' plain types only, and all but the entry functions in namespace
// hanok::cpu::HANOK_ISA has internal linkage: otherwise the linker might pick the AVX2 copy of a
// shared inline function for the portable path. The vector types are the compilers' own (g++ and
// clang): with AVX2 one register, without it two SSE ones, with the same bits.
#pragma once

#include <stdint.h>
#include <string.h>

/// Before a loop whose iterations are independent, also where an output is an input (in place).
#if defined(__clang__)
#define HANOK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define HANOK_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr int kLanes = 8;

typedef float F32x8 __attribute__((vector_size(32)));
typedef double F64x4 __attribute__((vector_size(32)));
typedef float F32x4 __attribute__((vector_size(16)));

[[maybe_unused]] inline F32x8 load8(const float* p) {
  F32x8 v;
  memcpy(&v, p, sizeof v);
  return v;
}

[[maybe_unused]] inline void store8(float* p, F32x8 v) { memcpy(p, &v, sizeof v); }

/// The first `count` (< 8) floats; the other lanes are 0.
[[maybe_unused]] inline F32x8 load_tail(const float* p, int64_t count) {
  F32x8 v = {};
  for (int64_t i = 0; i < count; ++i) {
    v[i] = p[i];
  }
  return v;
}

[[maybe_unused]] inline F32x8 broadcast8(float x) { return F32x8{x, x, x, x, x, x, x, x}; }

/// Sum of the lanes, in the order ((0+4)+(2+6)) + ((1+5)+(3+7)).
[[maybe_unused]] inline float sum8(F32x8 v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

[[maybe_unused]] inline F64x4 load4_as_double(const float* p) {
  F32x4 v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, F64x4);
}

}  // namespace
}  // namespace hanok::cpu::HANOK_ISA
