// Finds unordered accesses to the same bytes, at least one of them a write. Accesses are ordered if
// they are by one thread; in one block with a barrier between them; by two lanes that synchronised
// in a warp operation in between (directly or through other lanes: vector clocks of 32 entries); in
// different launches; or in two blocks if the first block wrote an atomic after __threadfence() and
// the second accessed that atomic before its own access. So the result does not depend on the order
// in which threads happened to run.
#include "tests/cuda/emulator/races/races.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "tests/cuda/emulator/executor.h"
#include "tests/cuda/emulator/memory.h"
#include "tests/cuda/emulator/races/observer.h"
#include "tests/cuda/emulator/races/shadow.h"

namespace hanok::emulator {

Observer* observer = nullptr;

namespace {

// known[warp][i][j]: the number of lane j's synchronisations that lane i knows of; its own at j ==
// i.
std::uint32_t known[kMaxWarps][kWarpThreads][kWarpThreads];
bool fenced[kMaxThreads];  // threads that have called __threadfence() in this block

/// A block's state when it released an atomic.
struct Release {
  std::uint32_t epoch;
  int thread;
};
std::unordered_map<std::uintptr_t, std::map<std::uint32_t, Release>> releases;  // by atomic
std::map<std::uint32_t, Release> acquired;  // blocks whose releases the running block has acquired

std::set<std::tuple<std::uint32_t, std::uint32_t, bool, bool>> told;  // in this launch
const std::uintptr_t program_begin = load_address();
std::uint64_t generation_at_launch = 0;

void launch_begins() {
  releases.clear();
  told.clear();
  if (generation_at_launch != memory_generation()) {
    generation_at_launch = memory_generation();
    forget_pages_of_freed_memory();
  }
  if (observer != nullptr) observer->launch_begins();
}

void block_begins() {
  std::fill_n(fenced, running.threads, false);
  acquired.clear();
  if (observer != nullptr) observer->block_begins();
}

void lanes_met(int warp, unsigned mask) {
  auto& lanes = known[warp];
  std::uint32_t row[kWarpThreads];
  for (unsigned j = 0; j < kWarpThreads; ++j) {
    if (((mask >> j) & 1U) != 0) {
      row[j] = lanes[j][j] + 1;
      continue;
    }
    row[j] = 0;
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
      row[j] = std::max(row[j], lanes[__builtin_ctz(rest)][j]);
    }
  }
  for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
    std::memcpy(lanes[__builtin_ctz(rest)], row, sizeof(row));
  }
}

void thread_fence() { fenced[running.current] = true; }

/// Whether `before` happened before the running thread's current access.
bool ordered(const Access& before, bool shared) {
  if (before.block == 0) return true;
  if (before.block == running.block_serial) {
    const int other = before.thread;
    const int own = running.current;
    if (other == own || before.epoch != running.barrier_epoch) return true;
    if (other / kWarpThreads != own / kWarpThreads) return false;
    const auto& mine = known[own / kWarpThreads][own % kWarpThreads];
    return mine[other % kWarpThreads] > before.clock;
  }
  if (shared || before.block < running.first_serial) return true;
  const auto release = acquired.find(before.block);
  if (release == acquired.end()) return false;
  return before.epoch < release->second.epoch ||
         (before.epoch == release->second.epoch && before.thread == release->second.thread);
}

const char* verb(Touch kind) {
  return kind == Touch::Read ? "reads" : kind == Touch::Write ? "writes" : "atomically updates";
}

std::string line_of(std::uint32_t instruction) {
  return lines_of({program_begin + instruction}).front();
}

std::string who() {
  return "thread " + text_of(running.index[running.current]) + " of block " +
         text_of(running.block);
}

void tell_race(const Access& before, bool before_wrote, const Access& now, Touch kind,
               std::uintptr_t address, bool shared) {
  if (!told.insert({before.instruction, now.instruction, before_wrote, kind == Touch::Read})
           .second) {
    return;
  }
  const bool same_block = before.block == running.block_serial;
  const std::string other = "thread " + text_of(running.index[before.thread]) + " of " +
                            (same_block ? "the same block" : "another block of the launch");
  const char* did = before.atomic ? "atomically updated" : before_wrote ? "wrote" : "read";
  char where[32];
  snprintf(where, sizeof(where), "0x%lx", static_cast<unsigned long>(address));
  report(Report::Kind::Race, std::string("race on ") + (shared ? "shared" : "global") +
                                 " memory: " + who() + " " + verb(kind) + " at " +
                                 line_of(now.instruction) + " what " + other + " " + did + " at " +
                                 line_of(before.instruction) +
                                 ", and nothing orders the two (address " + where + ")");
}

void tell_uninitialised(const Access& now, std::uintptr_t address) {
  if (!told.insert({0, now.instruction, false, true}).second) return;
  char where[32];
  snprintf(where, sizeof(where), "0x%lx", static_cast<unsigned long>(address));
  report(Report::Kind::Uninitialised,
         "uninitialised shared memory: " + who() + " reads at " + line_of(now.instruction) +
             " what its block has not written (address " + where + ")");
}

[[noreturn]] void tell_out_of_bounds(std::uintptr_t address, std::size_t bytes, Touch kind,
                                     std::uint32_t instruction, const std::string& why) {
  report(Report::Kind::OutOfBounds, "out of bounds: " + who() + " " + verb(kind) + " " +
                                        std::to_string(bytes) + " bytes at " +
                                        line_of(instruction) + ", " + why);
  (void)address;
  abandon();
}

/// Aborts the launch if the bytes are not device memory.
void check_bounds(Page& page, std::uintptr_t address, std::size_t bytes, Touch kind,
                  std::uint32_t instruction) {
  const std::uint64_t generation = memory_generation();
  if (page.generation == generation && address >= page.valid_begin &&
      address + bytes <= page.valid_end) {
    return;
  }
  const auto range = range_before(address);
  if (range && range->alive && address + bytes <= range->end) {
    page.generation = generation;
    page.valid_begin = range->begin;
    page.valid_end = range->end;
    return;
  }
  std::string why = "which is no device memory";
  if (range && !range->alive && address < range->end) {
    why = std::to_string(address - range->begin) + " bytes into " + range->name +
          ", which has been freed";
  } else if (range && address < range->end + (std::uintptr_t{1} << 24)) {
    why = std::to_string(address + bytes - range->end) + " bytes beyond the end of " + range->name +
          " (" + std::to_string(range->end - range->begin) + " bytes)";
  }
  tell_out_of_bounds(address, bytes, kind, instruction, why);
}

void check_shared_bounds(std::uintptr_t address, std::size_t bytes, Touch kind,
                         std::uint32_t instruction) {
  const auto begin = reinterpret_cast<std::uintptr_t>(dynamic_shared_begin);
  if (address - begin >= (std::uintptr_t{256} << 10)) return;  // a static array
  const std::uintptr_t end = begin + running.launch->shared_bytes;
  if (address + bytes <= end) return;
  tell_out_of_bounds(address, bytes, kind, instruction,
                     std::to_string(address + bytes - end) +
                         " bytes beyond the end of the dynamic shared memory (" +
                         std::to_string(running.launch->shared_bytes) + " bytes)");
}

/// The program's own arrays may be registered as device memory.
bool may_be_device_memory(Page& page) {
  if (const std::uint64_t generation = memory_generation(); page.generation != generation) {
    page.generation = generation;
    page.valid_begin = page.valid_end = 0;
    page.registered = any_range_in(page.number * kPageBytes, (page.number + 1) * kPageBytes);
  }
  return page.registered;
}

void record(Cell& cell, const Access& now, Touch kind, std::uintptr_t address, bool shared) {
  if (cell.write.block != 0 && !ordered(cell.write, shared) &&
      !(kind == Touch::Atomic && cell.write.atomic)) {
    tell_race(cell.write, true, now, kind, address, shared);
  }
  if (kind == Touch::Read) {
    if (shared && cell.write.block != now.block) tell_uninitialised(now, address);
    Access& first = cell.read[0];
    Access& second = cell.read[1];
    if (first.block != now.block || first.thread == now.thread || ordered(first, shared)) {
      first = now;
    } else {
      second = now;
    }
    return;
  }
  for (Access& read : cell.read) {
    if (read.block != 0 && !ordered(read, shared)) {
      tell_race(read, false, now, kind, address, shared);
    }
    read.block = 0;
  }
  cell.write = now;
}

void atomic(const void* address, unsigned size, const void* instruction) {
  if (!in_kernel()) return;
  touch(address, size, Touch::Atomic, instruction);
  const auto place = reinterpret_cast<std::uintptr_t>(address);
  const auto seen = releases.find(place);
  if (seen != releases.end()) {
    for (const auto& [block, release] : seen->second) acquired.insert_or_assign(block, release);
  }
  if (fenced[running.current]) {
    auto& released = releases[place];
    // A block passes on the releases that it has acquired.
    for (const auto& [block, release] : acquired) released.insert_or_assign(block, release);
    released[running.block_serial] = {running.barrier_epoch, running.current};
  }
}

void launch_ends() {
  if (observer != nullptr) observer->launch_ends();
}

}  // namespace

void touch(const void* pointer, std::size_t bytes, Touch kind, const void* return_address) {
  if (!in_kernel()) return;
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (address - stacks_begin < stacks_end - stacks_begin) return;  // a thread's own
  const auto arguments = reinterpret_cast<std::uintptr_t>(running.launch->call.get());
  if (address - arguments < running.launch->call_bytes) return;
  const auto instruction = static_cast<std::uint32_t>(
      reinterpret_cast<std::uintptr_t>(return_address) - 1 - program_begin);

  Page* page = &page_at(address);
  if (page->kind == Page::Kind::Ignored) return;
  bool shared = page->kind == Page::Kind::Shared;
  if (shared && may_be_device_memory(*page) && range_at(address)) shared = false;
  if (shared) {
    check_shared_bounds(address, bytes, kind, instruction);
  } else {
    check_bounds(*page, address, bytes, kind, instruction);
  }
  if (observer != nullptr) observer->access(address, bytes, kind, instruction, shared);

  const int thread = running.current;
  const Access now{running.block_serial,
                   running.barrier_epoch,
                   known[thread / kWarpThreads][thread % kWarpThreads][thread % kWarpThreads],
                   instruction,
                   static_cast<std::uint16_t>(thread),
                   kind == Touch::Atomic};
  const std::uintptr_t end = address + bytes;
  for (std::uintptr_t at = address; at < end;) {
    if (at / kPageBytes != page->number) page = &page_at(at);
    Word& word = page->word[at % kPageBytes / 4];
    const std::uintptr_t word_end = (at / 4 + 1) * 4;
    if (at % 4 == 0 && word_end <= end && word.bytes == 0) {
      record(word.whole, now, kind, at, shared);
    } else {
      Split& cells = split(word);
      for (std::uintptr_t byte = at; byte < std::min(word_end, end); ++byte) {
        record(cells.byte[byte % 4], now, kind, byte, shared);
      }
    }
    at = word_end;
  }
}

void watch_races() {
  static const RaceHooks hooks = {launch_begins, block_begins, lanes_met,
                                  thread_fence,  atomic,       launch_ends};
  race_hooks = &hooks;
}

}  // namespace hanok::emulator
