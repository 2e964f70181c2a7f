#include "tests/cuda/emulator/memory.h"

#include <atomic>
#include <hanok_emulator.h>
#include <map>
#include <mutex>

namespace hanok::emulator {
namespace {

std::mutex mutex;
/// Sorted by start; they do not overlap. Created at first use, possibly during the initialisation
/// of another file's statics.
std::map<std::uintptr_t, Range>& all_ranges() {
  static std::map<std::uintptr_t, Range> instance;
  return instance;
}
std::atomic<std::uint64_t> generation = 1;

}  // namespace

void register_memory(const void* begin, std::size_t bytes, const std::string& name) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  const std::lock_guard lock(mutex);
  auto& ranges = all_ranges();
  // Freed ranges whose addresses are reused.
  auto it = ranges.lower_bound(first);
  if (it != ranges.begin() && std::prev(it)->second.end > first) --it;
  while (it != ranges.end() && it->first < first + bytes) it = ranges.erase(it);
  ranges[first] = {first, first + bytes, true, name};
  ++generation;
}

void unregister_memory(const void* begin) {
  const std::lock_guard lock(mutex);
  auto& ranges = all_ranges();
  const auto it = ranges.find(reinterpret_cast<std::uintptr_t>(begin));
  if (it == ranges.end()) return;
  it->second.alive = false;
  ++generation;
}

std::uint64_t memory_generation() { return generation; }

std::optional<Range> range_at(std::uintptr_t address) {
  const std::optional<Range> range = range_before(address);
  return range && address < range->end ? range : std::nullopt;
}

bool any_range_in(std::uintptr_t begin, std::uintptr_t end) {
  const std::optional<Range> range = range_before(end - 1);
  return range && range->end > begin;
}

std::optional<Range> range_before(std::uintptr_t address) {
  const std::lock_guard lock(mutex);
  const auto& ranges = all_ranges();
  const auto it = ranges.upper_bound(address);
  if (it == ranges.begin()) return std::nullopt;
  return std::prev(it)->second;
}

}  // namespace hanok::emulator
