// Philox 4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011). A number is a pure function of (key, counter): no state, no order, the same on
// every device.
#pragma once

#include <array>
#include <cstdint>

namespace hanok {

/// Every consumer of random numbers has its own stream, so that adding one never disturbs another.
enum class RandomStream : std::uint32_t {
  Init = 1,       // parameter initialisation
  Dropout = 2,    // dropout masks
  Shuffle = 3,    // order of samples in an epoch
  Augment = 4,    // random transforms
  Split = 5,      // shuffled folds and hold-outs
  Sampler = 6,    // weighted draws
  Synthetic = 7,  // synthetic faces
  Test = 8,       // tests and benches
  Mixup = 9,      // mixing of pairs of samples
};

struct PhiloxKey {
  std::uint32_t seed_low;
  std::uint32_t seed_high_and_stream;  // seed's high word xor (stream * a fixed odd constant)
};

inline PhiloxKey philox_key(std::uint64_t seed, RandomStream stream) {
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32) ^
                                                (static_cast<std::uint32_t>(stream) * 0x9E3779B1u)};
}

/// Counter words by convention: (epoch, sample or step, draw, lane).
using PhiloxCounter = std::array<std::uint32_t, 4>;

inline std::array<std::uint32_t, 4> philox(PhiloxKey key, PhiloxCounter counter) {
  std::uint32_t k0 = key.seed_low;
  std::uint32_t k1 = key.seed_high_and_stream;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

/// Uniform in [0, 1) with 24 random bits.
inline float to_unit_float(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

}  // namespace hanok
