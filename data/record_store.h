// Equally long records by number: in memory up to a budget, the rest in a mapped file. For decoded
// images and for what frozen layers make of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"

namespace hanok::data {

class RecordStore {
 public:
  /// Room for `capacity` records of `bytes` bytes under keys from 0 to `keys` - 1. What exceeds
  /// `budget` bytes lies in an unnamed file in `folder`, whose room is taken at once and which is
  /// gone with the process, however that ends; without a folder it is not kept. Memory is counted
  /// under `tag`. Throws IoError if the disk has no room, OutOfMemory.
  RecordStore(std::int64_t keys, std::int64_t capacity, std::int64_t bytes, std::int64_t budget,
              const std::string& folder, const char* tag);
  ~RecordStore();
  RecordStore(const RecordStore&) = delete;
  RecordStore& operator=(const RecordStore&) = delete;

  bool holds(std::int64_t key) const { return slots_[static_cast<std::size_t>(key)] >= 0; }
  /// Copies a record in. Does nothing if the key is there already, or if the store is full.
  void put(std::int64_t key, const void* record);
  /// The record of a key that it holds; it stays where it is. Aligned to 4 bytes if `bytes` is a
  /// multiple of 4.
  const void* get(std::int64_t key) const { return at(slots_[static_cast<std::size_t>(key)]); }
  std::int64_t bytes() const { return bytes_; }
  std::size_t memory_bytes() const { return static_cast<std::size_t>(in_memory_ * bytes_); }
  std::size_t file_bytes() const { return file_bytes_; }

 private:
  std::uint8_t* at(std::int64_t slot) const;

  std::int64_t capacity_, bytes_;
  std::int64_t in_memory_ = 0;  // the first so many slots
  std::int64_t used_ = 0;
  std::vector<std::int64_t> slots_;  // of each key; -1: not there
  Tensor memory_;
  std::uint8_t* memory_data_ = nullptr;
  std::uint8_t* file_data_ = nullptr;
  std::size_t file_bytes_ = 0;
};

}  // namespace hanok::data
