// What is remembered of every word that kernels touch: who wrote it last and who read it since.
#pragma once

#include <cstdint>

namespace hanok::emulator {

/// One access, and when it was: in which block, after how many of the block's barriers, and after
/// how many meetings of its lane with others of the warp.
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

/// Four bytes of memory; once something smaller is accessed each byte has a cell of its own.
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
  // As of a memory_generation(): a live range of device memory that covers a part of the page; and
  // whether the program's own variables here are partly registered as device memory.
  std::uint64_t generation = 0;
  bool registered = false;
  std::uintptr_t valid_begin = 0, valid_end = 0;
  Word word[kPageBytes / 4];
};

/// The page of an address; made at its first use.
Page& page_at(std::uintptr_t address);
/// The split cells of a word; made from the whole one at first use.
Split& split(Word& word);
/// Forgets everything (addresses may mean other things afterwards).
void forget_pages_of_freed_memory();

}  // namespace hanok::emulator
