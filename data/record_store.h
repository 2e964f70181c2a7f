// Records of equal size by key, in memory up to a budget and spilled to a mapped file beyond it.
// Used for decoded images and for the outputs of frozen layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::data {

struct RecordStoreOptions {
  std::int64_t keys = 0;      // keys are 0..keys-1
  std::int64_t capacity = 0;  // records
  std::int64_t bytes = 0;     // of a record
  std::int64_t budget = 0;    // bytes of memory; further records are spilled
  std::string folder{};       // of the spill file; empty: no spilling
  const char* tag = "";       // for counting memory, and in messages
};

class RecordStore {
 public:
  /// Reserves space for `capacity` records of `bytes` bytes with keys 0..keys-1. Records beyond
  /// `budget` bytes of memory are spilled to an unnamed file in `folder`; it is allocated at once
  /// and disappears when the process ends in any way. Without a folder these records are not
  /// stored. Memory is counted under `tag`. Throws IoError if the disk has no space, OutOfMemory.
  explicit RecordStore(const RecordStoreOptions& options);
  ~RecordStore();
  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  bool holds(std::int64_t key) const { return slots_[static_cast<std::size_t>(key)] >= 0; }
  /// Copies a record in. Does nothing if the key is already stored or the store is full.
  void put(std::int64_t key, const void* record);
  /// The record of a stored key, without a copy. Aligned to 4 bytes if `bytes` is a multiple of 4.
  const void* get(std::int64_t key) const { return at(slots_[static_cast<std::size_t>(key)]); }
  std::int64_t bytes() const { return bytes_; }
  std::size_t memory_bytes() const { return static_cast<std::size_t>(in_memory_ * bytes_); }
  std::size_t file_bytes() const { return file_bytes_; }

 private:
  std::uint8_t* at(std::int64_t slot) const;

  std::int64_t capacity_, bytes_;
  std::int64_t in_memory_ = 0;  // slots in memory; the others are in the file
  std::int64_t used_ = 0;
  std::vector<std::int64_t> slots_;  // by key; -1: not stored
  Tensor memory_;
  std::uint8_t* memory_data_ = nullptr;
  std::uint8_t* file_data_ = nullptr;
  std::size_t file_bytes_ = 0;
};

}  // namespace hanok::data
#pragma GCC visibility pop
