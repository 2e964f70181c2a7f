// Philox 4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011). A number is a pure function of (key, counter): there is no state, and every
// device gets the same numbers.
#pragma once

#include <array>
#include <cstdint>

#include "hanok/kernels/base/host_device.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Each consumer of random numbers has its own stream, so that adding one does not change another.
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

/// By convention the counter's words are (epoch, sample or step, draw, lane).
using PhiloxCounter = std::array<std::uint32_t, 4>;

/// Ten rounds: returns four random words.
HANOK_HOST_DEVICE inline void philox_rounds(PhiloxKey key, std::uint32_t (&words)[4]) {
  std::uint32_t k0 = key.seed_low;
  std::uint32_t k1 = key.seed_high_and_stream;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * words[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * words[2];
    words[0] = static_cast<std::uint32_t>(p1 >> 32) ^ words[1] ^ k0;
    words[1] = static_cast<std::uint32_t>(p1);
    words[2] = static_cast<std::uint32_t>(p0 >> 32) ^ words[3] ^ k1;
    words[3] = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

inline std::array<std::uint32_t, 4> philox(PhiloxKey key, PhiloxCounter counter) {
  std::uint32_t words[4] = {counter[0], counter[1], counter[2], counter[3]};
  philox_rounds(key, words);
  return {words[0], words[1], words[2], words[3]};
}

/// Uniform in [0, 1) with 24 random bits.
HANOK_HOST_DEVICE inline float to_unit_float(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * 0x1p-24f;
}

}  // namespace hanok
#pragma GCC visibility pop
