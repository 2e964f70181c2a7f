// Shadow memory: for each word that kernels access, its last writer and later readers.
#pragma once

#include <cstdint>

namespace hanok::emulator {

/// An access and its logical time: the block, its number of barriers, and the lane's number of
/// synchronisations with other lanes of the warp.
struct Access {
  std::uint32_t block = 0;  // serial number; 0: no access
  std::uint32_t epoch = 0;
  std::uint32_t clock = 0;
  std::uint32_t instruction = 0;  // offset in the program
  std::uint16_t thread = 0;
  bool atomic = false;
};

struct Cell {
  Access write;
  Access read[2];  // by different threads
};

/// Four bytes of memory; after an access to a smaller unit each byte has its own cell.
struct Word {
  Cell whole;
  std::uint32_t bytes = 0;  // index of its Split, 0: none
};
struct Split {
  Cell byte[4];
};

constexpr std::uintptr_t kPageBytes = 4096;

struct Page {
  enum class Kind : std::uint8_t { Ignored, Shared, Device };
  std::uintptr_t number = 0;  // address / kPageBytes
  Kind kind = Kind::Ignored;
  // As of a memory_generation(): a live range of device memory that covers part of the page, and
  // whether the program's variables on it are partly registered as device memory.
  std::uint64_t generation = 0;
  bool registered = false;
  std::uintptr_t valid_begin = 0, valid_end = 0;
  Word word[kPageBytes / 4];
};

/// The page of an address; created at first use.
Page& page_at(std::uintptr_t address);
/// The split cells of a word; created from the whole one at first use.
Split& split(Word& word);
/// Clears everything (addresses may be reused afterwards).
void forget_pages_of_freed_memory();

}  // namespace hanok::emulator
