#include "tests/cuda/emulator/lab/access_pattern.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace hanok::emulator::lab {
namespace {

int widest(const WarpAccess& access) {
  return *std::max_element(access.bytes.begin(), access.bytes.end());
}

/// Lanes that are served in one pass.
int lanes_of_part(const WarpAccess& access) {
  const int bytes = widest(access);
  return bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
}

/// The distinct words per part and bank.
std::vector<std::array<std::set<std::uintptr_t>, kBanks>> words(const WarpAccess& access) {
  const int part_lanes = lanes_of_part(access);
  std::vector<std::array<std::set<std::uintptr_t>, kBanks>> parts(
      static_cast<std::size_t>(32 / part_lanes));
  for (int lane = 0; lane < 32; ++lane) {
    if (access.bytes[lane] == 0) continue;
    const std::uintptr_t first = access.address[lane] / kBankBytes;
    const std::uintptr_t last = (access.address[lane] + access.bytes[lane] - 1) / kBankBytes;
    for (std::uintptr_t word = first; word <= last; ++word) {
      parts[static_cast<std::size_t>(lane / part_lanes)][word % kBanks].insert(word);
    }
  }
  return parts;
}

}  // namespace

Cost shared_cost(const WarpAccess& access) {
  Cost cost;
  for (const auto& part : words(access)) {
    std::size_t most = 0;
    for (const auto& bank : part) most = std::max(most, bank.size());
    cost.actual += static_cast<int>(most);
    cost.best += most > 0 ? 1 : 0;
  }
  return cost;
}

std::array<int, kBanks> words_of_banks(const WarpAccess& access) {
  std::array<int, kBanks> result{};
  for (const auto& part : words(access)) {
    for (int bank = 0; bank < kBanks; ++bank) {
      result[bank] = std::max(result[bank], static_cast<int>(part[bank].size()));
    }
  }
  return result;
}

std::vector<std::uintptr_t> sectors_of(const WarpAccess& access) {
  std::set<std::uintptr_t> sectors;
  for (int lane = 0; lane < 32; ++lane) {
    if (access.bytes[lane] == 0) continue;
    const std::uintptr_t last = (access.address[lane] + access.bytes[lane] - 1) / kSectorBytes;
    for (std::uintptr_t s = access.address[lane] / kSectorBytes; s <= last; ++s) sectors.insert(s);
  }
  return {sectors.begin(), sectors.end()};
}

Cost global_cost(const WarpAccess& access) {
  std::set<std::uintptr_t> bytes;
  for (int lane = 0; lane < 32; ++lane) {
    for (int b = 0; b < access.bytes[lane]; ++b) bytes.insert(access.address[lane] + b);
  }
  const int wanted = static_cast<int>(bytes.size());
  return {static_cast<int>(sectors_of(access).size()), (wanted + kSectorBytes - 1) / kSectorBytes};
}

std::string verdict(const Pattern& pattern) {
  char text[128];
  if (pattern.shared) {
    if (pattern.actual == pattern.best) return "no bank conflict";
    const auto busy = words_of_banks(pattern.worst);
    snprintf(text, sizeof(text), "%d-way bank conflict",
             *std::max_element(busy.begin(), busy.end()));
    return text;
  }
  if (pattern.ratio() <= 1.01) return "coalesced";
  snprintf(text, sizeof(text), "%.1f times the sectors needed: %.0f%% of the bytes moved are used",
           pattern.ratio(), 100 / pattern.ratio());
  return text;
}

}  // namespace hanok::emulator::lab
