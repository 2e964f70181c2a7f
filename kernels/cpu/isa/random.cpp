#include "hanok/kernels/cpu/isa/random.h"

#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/vector.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr double kTwoPi = 6.283185307179586;

/// A counter a lane, its words in the lower half of each 64-bit lane; the content of the upper
/// halves are never used.
void philox(const PhiloxCall& call, uint64_t first_lane, int64_t lanes, uint32_t* words) {
  const U64Vec multiplier0 = broadcast_u64(0xD2511F53U);
  const U64Vec multiplier1 = broadcast_u64(0xCD9E8D57U);
  for (int64_t block = 0; block < lanes; block += kU64Lanes) {
    const uint64_t lane = first_lane + static_cast<uint64_t>(block);
    U64Vec c0 = broadcast_u64(call.epoch);
    U64Vec c1 = broadcast_u64(call.step);
    U64Vec c2 = broadcast_u64(call.draw);
    U64Vec c3;
    for (int i = 0; i < kU64Lanes; ++i) c3[i] = lane + static_cast<uint64_t>(i);
    uint32_t k0 = call.key[0];
    uint32_t k1 = call.key[1];
    for (int round = 0; round < 10; ++round) {
      const U64Vec p0 = multiply_low(c0, multiplier0);
      const U64Vec p1 = multiply_low(c2, multiplier1);
      c0 = (p1 >> 32) ^ c1 ^ broadcast_u64(k0);
      c1 = p1;
      c2 = (p0 >> 32) ^ c3 ^ broadcast_u64(k1);
      c3 = p0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    const U64Vec first = (c0 & 0xffffffffU) | (c1 << 32);
    const U64Vec second = (c2 & 0xffffffffU) | (c3 << 32);
    for (int i = 0; i < kU64Lanes; ++i) {
      const uint64_t pair[2] = {first[i], second[i]};
      memcpy(words + 4 * (block + i), pair, sizeof pair);
    }
  }
}

inline float unit(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24F;
}

void uniform(const uint32_t* words, float low, float high, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = low + (high - low) * unit(words[i]);
  }
}

/// Words a, b -> radius sqrt(-2 ln u) with u = (a + 1/2) / 2^32 in (0, 1), angle 2 pi b / 2^32.
void normal(const uint32_t* words, float mean, float stddev, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += 2) {
    const double u = (static_cast<double>(words[i]) + 0.5) * 0x1p-32;
    const double radius = stddev * __builtin_sqrt(-2.0 * math::log_double(u));
    // The upper two bits of b, rounded, are the quadrant; the rest the angle within it.
    const uint32_t quadrant = (words[i + 1] + 0x20000000U) >> 30;
    const int32_t rest = static_cast<int32_t>(words[i + 1] - (quadrant << 30));
    const double angle = static_cast<double>(rest) * (kTwoPi * 0x1p-32);
    out[i] = static_cast<float>(mean + radius * math::sin_of_quadrant(quadrant + 1, angle));
    out[i + 1] = static_cast<float>(mean + radius * math::sin_of_quadrant(quadrant, angle));
  }
}

void dropout(const uint32_t* words, float p, float scale, const float* x, float* y, int64_t count) {
  HANOK_INDEPENDENT
  for (int64_t i = 0; i < count; ++i) {
    y[i] = unit(words[i]) >= p ? x[i] * scale : 0.0F;
  }
}

}  // namespace

const RandomKernels random = {philox, uniform, normal, dropout};

}  // namespace hanok::cpu::HANOK_ISA
