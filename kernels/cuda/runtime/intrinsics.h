// Instructions without a C++ equivalent: asynchronous copies to shared memory and products on
// tensor cores. Each has an equivalent in plain CUDA C++, which is used on devices before sm_80 and
// in the emulator.
//
// Fragments of mma, with g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix fragments for mma"):
//   A (16 x k, row-major)   rows g and g + 8
//   B (k x 8)               column g
//   C (16 x 8)              c[0], c[1]: row g, columns 2t and 2t + 1;  c[2], c[3]: row g + 8
#pragma once

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "hanok/kernels/cuda/runtime/launch.h"

#if defined(__CUDA_ARCH__)
#if __CUDA_ARCH__ >= 800
#define HANOK_SM80 1
#endif
#endif

namespace hanok::cuda {

// ---- asynchronous copies: global to shared memory, bypassing registers ----

/// Copies 16 bytes (both addresses aligned to 16), or writes zeros if not `valid`. `from` must
/// always be an address of the array; it is not read if not `valid`.
__device__ inline void copy_async16(void* to, const void* from, bool valid) {
#ifdef HANOK_SM80
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(valid ? 16 : 0)
               : "memory");
#else
  const auto* values = static_cast<const float4*>(from);
  *static_cast<float4*>(to) =
      valid ? make_float4(values->x, values->y, values->z, values->w) : make_float4(0, 0, 0, 0);
#endif
}

/// The same for one float.
__device__ inline void copy_async4(float* to, const float* from, bool valid) {
#ifdef HANOK_SM80
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "l"(from), "r"(valid ? 4 : 0)
               : "memory");
#else
  *to = valid ? *from : 0.0F;
#endif
}

/// Commits the thread's copies since the last call as one group.
__device__ inline void commit_copies() {
#ifdef HANOK_SM80
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

/// Waits until at most kNewest of the thread's groups are pending. Other threads' copies are
/// visible after the next __syncthreads().
template <int kNewest>
__device__ inline void wait_for_copies() {
#ifdef HANOK_SM80
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kNewest) : "memory");
#endif
}

// ---- tensor cores ----

/// Rounds to TF32: 8 bits of exponent, 10 of mantissa, ties away from zero.
__device__ inline std::uint32_t to_tf32(float x) {
#ifdef HANOK_SM80
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(bits) : "f"(x));
  return bits;
#else
  const std::uint32_t bits = __float_as_uint(x);
  const bool finite = (bits & 0x7f800000U) != 0x7f800000U;
  return (finite ? bits + 0x1000U : bits) & 0xffffe000U;
#endif
}

/// Two bf16 in one register, the first in the low half.
__device__ inline std::uint32_t to_bf16x2(float low, float high) {
  return static_cast<std::uint32_t>(__bfloat16_as_ushort(__float2bfloat16_rn(low))) |
         static_cast<std::uint32_t>(__bfloat16_as_ushort(__float2bfloat16_rn(high))) << 16U;
}

/// c += A B for A 16x8 and B 8x8 in TF32, by one warp.
///   a[0]: (g, t)  a[1]: (g + 8, t)  a[2]: (g, t + 4)  a[3]: (g + 8, t + 4)
///   b[0]: (t, g)  b[1]: (t + 4, g)                                          as (row, column)
__device__ inline void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4],
                                const std::uint32_t (&b)[2]) {
#ifdef HANOK_SM80
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    const int from_a = lane / 4 * 4 + k % 4;
    const float upper = __uint_as_float(__shfl_sync(0xffffffffU, a[k / 4 * 2], from_a));
    const float lower = __uint_as_float(__shfl_sync(0xffffffffU, a[k / 4 * 2 + 1], from_a));
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int from_b = (lane % 4 * 2 + j) * 4 + k % 4;
      const float right = __uint_as_float(__shfl_sync(0xffffffffU, b[k / 4], from_b));
      c[j] += upper * right;
      c[2 + j] += lower * right;
    }
  }
#endif
}

/// One of the two 16-bit values in a register: k even or odd.
struct Bf16Pair {
  __device__ static float value(std::uint32_t pair, int k) {  // bf16 is the upper half of a float
    return __uint_as_float(k % 2 == 0 ? pair << 16U : pair & 0xffff0000U);
  }
};
struct F16Pair {
  __device__ static float value(std::uint32_t pair, int k) {
    return __half2float(
        __ushort_as_half(static_cast<unsigned short>(k % 2 == 0 ? pair : pair >> 16U)));
  }
};

/// The plain equivalent of both products of 16-bit factors.
template <typename Pair>
__device__ inline void mma_by_shuffles(float (&c)[4], const std::uint32_t (&a)[4],
                                       const std::uint32_t (&b)[2]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int k = 0; k < 16; ++k) {
    const int pair = k % 8 / 2;
    const int from_a = lane / 4 * 4 + pair;
    const float upper = Pair::value(__shfl_sync(0xffffffffU, a[k / 8 * 2], from_a), k);
    const float lower = Pair::value(__shfl_sync(0xffffffffU, a[k / 8 * 2 + 1], from_a), k);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int from_b = (lane % 4 * 2 + j) * 4 + pair;
      const float right = Pair::value(__shfl_sync(0xffffffffU, b[k / 8], from_b), k);
      c[j] += upper * right;
      c[2 + j] += lower * right;
    }
  }
}

/// c += A B for A 16x16 and B 16x8 in bf16, by one warp. Each register has two adjacent elements in
/// k:
///   a[0]: (g, 2t)  a[1]: (g + 8, 2t)  a[2]: (g, 2t + 8)  a[3]: (g + 8, 2t + 8)
///   b[0]: (2t, g)  b[1]: (2t + 8, g)
__device__ inline void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4],
                                const std::uint32_t (&b)[2]) {
#ifdef HANOK_SM80
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  mma_by_shuffles<Bf16Pair>(c, a, b);
#endif
}

/// The same in f16.
__device__ inline void mma_f16(float (&c)[4], const std::uint32_t (&a)[4],
                               const std::uint32_t (&b)[2]) {
#ifdef HANOK_SM80
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  mma_by_shuffles<F16Pair>(c, a, b);
#endif
}

/// Loads four 8x8 matrices of 16-bit elements from shared memory, by one warp. Lane 8 j + r passes
/// the address of row r of matrix j (16 aligned bytes). Each lane gets in out[j] the elements (g,
/// 2t) and (g, 2t + 1) of matrix j or, transposed, (2t, g) and (2t + 1, g), as mma expects.
template <bool kTransposed>
__device__ inline void load_matrices(const std::uint16_t* row, std::uint32_t (&out)[4]) {
#ifdef __CUDA_ARCH__  // on every device since sm_75
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
  }
#else
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int g = lane / 4;
  const int t = lane % 4;
  const auto address = reinterpret_cast<unsigned long long>(row);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const auto row_of = [&](int r) {
      return reinterpret_cast<const std::uint16_t*>(__shfl_sync(0xffffffffU, address, 8 * j + r));
    };
    const std::uint16_t* first = row_of(kTransposed ? 2 * t : g);
    const std::uint16_t* second = row_of(kTransposed ? 2 * t + 1 : g);
    const std::uint32_t low = first[kTransposed ? g : 2 * t];
    const std::uint32_t high = second[kTransposed ? g : 2 * t + 1];
    out[j] = low | high << 16U;
  }
#endif
}

}  // namespace hanok::cuda
