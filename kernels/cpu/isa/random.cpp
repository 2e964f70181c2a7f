#include "kernels/cpu/isa/random.h"

#include "kernels/base/vector_math.h"
#include "kernels/cpu/isa/simd.h"

namespace hanok::cpu::HANOK_ISA {
namespace {

constexpr double kTwoPi = 6.283185307179586;

/// Eight counters at a time, each word of theirs in an array that fills one vector.
void philox(const PhiloxCall& call, uint64_t first_lane, int64_t lanes, uint32_t* words) {
  for (int64_t block = 0; block < lanes; block += kLanes) {
    uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      c0[i] = call.epoch;
      c1[i] = call.step;
      c2[i] = call.draw;
      c3[i] = static_cast<uint32_t>(first_lane + static_cast<uint64_t>(block + i));
    }
    uint32_t k0 = call.key[0];
    uint32_t k1 = call.key[1];
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < kLanes; ++i) {
        const uint64_t p0 = uint64_t{0xD2511F53U} * c0[i];
        const uint64_t p1 = uint64_t{0xCD9E8D57U} * c2[i];
        c0[i] = static_cast<uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
        c1[i] = static_cast<uint32_t>(p1);
        c2[i] = static_cast<uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
        c3[i] = static_cast<uint32_t>(p0);
      }
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    uint32_t* out = words + 4 * block;
    for (int i = 0; i < kLanes; ++i) {
      out[4 * i] = c0[i];
      out[4 * i + 1] = c1[i];
      out[4 * i + 2] = c2[i];
      out[4 * i + 3] = c3[i];
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
