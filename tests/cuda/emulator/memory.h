// The ranges of memory that kernels may access.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hanok::emulator {

struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool alive = false;
  std::string name;
};

/// Changes with every register_memory and unregister_memory.
std::uint64_t memory_generation();
/// The range, live or freed, that contains the address.
std::optional<Range> range_at(std::uintptr_t address);
/// Whether any range, live or freed, overlaps [begin, end).
bool any_range_in(std::uintptr_t begin, std::uintptr_t end);
/// The nearest range before the address, to report which array an access exceeded.
std::optional<Range> range_before(std::uintptr_t address);

}  // namespace hanok::emulator
