// Equally long arrays by number: in memory up to a budget, the rest in a mapped file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace hanok::training {

class FeatureStore {
 public:
  /// Room for `capacity` arrays of `floats` numbers under keys from 0 to `keys` - 1. What exceeds
  /// `budget` bytes lies in an unnamed file in `folder`, whose room is taken at once and which is
  /// gone with the process, however that ends. Throws IoError if the disk has no room, OutOfMemory.
  FeatureStore(std::int64_t keys, std::int64_t capacity, std::int64_t floats, std::int64_t budget,
               const std::string& folder);
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  bool holds(std::int64_t key) const { return slots_[static_cast<std::size_t>(key)] >= 0; }
  /// Does nothing if the key is there already, or if all `capacity` arrays are.
  void put(std::int64_t key, const float* values);
  /// Only keys that it holds.
  const float* get(std::int64_t key) const { return at(slots_[static_cast<std::size_t>(key)]); }
  std::int64_t floats() const { return floats_; }
  std::size_t memory_bytes() const;
  std::size_t file_bytes() const { return file_bytes_; }

 private:
  float* at(std::int64_t slot) const;

  std::int64_t capacity_, floats_;
  std::int64_t in_memory_ = 0;  // the first so many slots
  std::int64_t used_ = 0;
  std::vector<std::int64_t> slots_;  // of each key; -1: not there
  Tensor memory_;
  float* memory_data_ = nullptr;
  float* file_data_ = nullptr;
  std::size_t file_bytes_ = 0;
};

}  // namespace hanok::training
