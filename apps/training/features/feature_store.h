// Features of images by number: in memory up to a budget, the rest in a file without a name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/training/device/device_readback.h"
#include "hanok/data/record_store.h"
#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class FeatureStore {
 public:
  struct Settings {
    std::int64_t keys = 0;           // they are 0 to keys - 1
    std::int64_t capacity = 0;       // different keys that will ever be added
    std::int64_t budget = 0;         // bytes in memory
    std::string spill_folder = ".";  // for the rest
    bool required = false;           // without room for the capacity, throw
  };
  FeatureStore(Reporter& reporter, Settings settings)
      : reporter_(reporter), settings_(std::move(settings)) {}

  bool holds(std::int64_t key) const { return records_ != nullptr && records_->holds(key); }
  /// Keeps `features` [N, ...], one image a key; all calls between two clear()s give the same shape
  /// but for N. From a GPU they are copied asynchronously and kept at the next add() or flush().
  /// Where there is no room for the capacity, throws IoError if required, else reports it, once,
  /// and keeps nothing.
  void add(const Tensor& features, std::vector<std::int64_t> keys);
  void flush();
  /// Features [N, ...] on the CPU of keys that it holds.
  Tensor get(const std::vector<std::int64_t>& keys);
  /// Discards everything.
  void clear();

  /// True once there was no room.
  bool out_of_room() const { return out_of_room_; }
  /// "64 KiB in memory, 0 KiB in a file"
  std::string describe() const;

 private:
  void make_records(const Tensor& features);
  void keep(const Tensor& features, const std::vector<std::int64_t>& keys);

  struct Pending {
    std::size_t copy;
    std::vector<std::int64_t> keys;
  };

  Reporter& reporter_;
  Settings settings_;
  bool out_of_room_ = false;
  std::unique_ptr<data::RecordStore> records_;
  Shape shape_;  // of the first features
  DType dtype_ = DType::F32;
  DeviceReadback readback_;
  std::optional<Pending> pending_;  // on a GPU: features being copied
};

}  // namespace hanok::training
#pragma GCC visibility pop
