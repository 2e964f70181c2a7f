// The cost of one memory instruction of a warp: passes over the 32 banks of shared memory, or
// sectors of 32 bytes of global memory; and the minimum that could serve its lanes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hanok::emulator::lab {

/// The lanes of a warp at one execution of an instruction.
struct WarpAccess {
  std::array<std::uintptr_t, 32> address{};
  std::array<std::uint8_t, 32> bytes{};  // 0: the lane is inactive
};

struct Cost {
  int actual = 0, best = 0;
};

constexpr int kBanks = 32, kBankBytes = 4, kSectorBytes = 32;

/// A warp's access to shared memory is served in parts of 128 bytes (8-byte accesses half a warp at
/// a time, 16-byte ones a quarter). A part takes as many passes as the largest number of distinct
/// words in one bank. Lanes that access the same word share it.
Cost shared_cost(const WarpAccess& access);
/// Distinct words per bank, for the worst part.
std::array<int, kBanks> words_of_banks(const WarpAccess& access);
/// Sectors that contain an accessed byte; the best case is the same number of contiguous bytes.
Cost global_cost(const WarpAccess& access);
/// The numbers of these sectors (address / 32), ascending.
std::vector<std::uintptr_t> sectors_of(const WarpAccess& access);

/// All executions of one instruction.
struct Pattern {
  std::string kernel, line;  // "transpose.cu:18"
  const char* verb = "";     // "read", "write", "atomic"
  bool shared = false;
  int bytes = 0;           // of a lane
  std::int64_t warps = 0;  // executions by a warp
  std::int64_t actual = 0, best = 0;
  WarpAccess worst;
  Cost worst_cost;
  double ratio() const { return best == 0 ? 1 : static_cast<double>(actual) / best; }
};

/// One sentence about the pattern: "32-way bank conflict", "coalesced", ...
std::string verdict(const Pattern& pattern);

/// SVG of each pattern's worst execution: lanes above, banks or sectors below.
std::string picture(const std::vector<Pattern>& patterns);

}  // namespace hanok::emulator::lab
