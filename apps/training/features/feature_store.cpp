#include "hanok/apps/training/features/feature_store.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "hanok/apps/run/files.h"
#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

std::int64_t bytes_of_one(const Tensor& features) {
  return static_cast<std::int64_t>(features.bytes()) / std::max<std::int64_t>(1, features.size(0));
}

}  // namespace

void FeatureStore::add(const Tensor& features, std::vector<std::int64_t> keys) {
  if (records_ == nullptr && !out_of_room_) make_records(features);
  if (records_ == nullptr) return;
  if (features.device().is_cpu()) {
    keep(features, keys);
    return;
  }
  // The copies of the previous call have completed while these were enqueued.
  const std::size_t copy = readback_.start({features});
  flush();
  pending_ = Pending{copy, std::move(keys)};
}

void FeatureStore::flush() {
  if (!pending_) return;
  const Pending pending = *std::move(pending_);
  pending_.reset();
  keep(readback_.finish(pending.copy).front(), pending.keys);
}

void FeatureStore::make_records(const Tensor& features) {
  const std::int64_t bytes = bytes_of_one(features);
  try {
    const std::int64_t file_bytes = settings_.capacity * bytes - settings_.budget;
    const std::int64_t room = free_bytes(settings_.spill_folder) / (settings_.required ? 1 : 2);
    if (file_bytes > room) {
      throw IoError(fmt::format("{}: no room for {} MiB of cached features", settings_.spill_folder,
                                file_bytes >> 20));
    }
    records_ = std::make_unique<data::RecordStore>(
        data::RecordStoreOptions{.keys = settings_.keys,
                                 .capacity = settings_.capacity,
                                 .bytes = bytes,
                                 .budget = settings_.budget,
                                 .folder = settings_.spill_folder,
                                 .tag = "cached features"});
  } catch (const Error& error) {
    if (settings_.required) throw;
    reporter_.print(fmt::format("features are not cached: {}\n", error.what()));
    out_of_room_ = true;
    return;
  }
  shape_ = features.shape();
  dtype_ = features.dtype();
}

/// `features` are on the CPU.
void FeatureStore::keep(const Tensor& features, const std::vector<std::int64_t>& keys) {
  const std::int64_t bytes = bytes_of_one(features);
  const char* values = features.view().as<char>();  // images are outermost in memory at any rank
  for (const std::int64_t key : keys) {
    records_->put(key, values);
    values += bytes;
  }
}

Tensor FeatureStore::get(const std::vector<std::int64_t>& keys) {
  const MemoryTag tag("batches");
  Shape shape = shape_;
  shape[0] = static_cast<std::int64_t>(keys.size());
  Tensor features = Tensor::empty(shape, {dtype_});
  const std::int64_t bytes = bytes_of_one(features);
  char* out = features.mutable_view().as<char>();
  for (const std::int64_t key : keys) {
    out = std::copy_n(static_cast<const char*>(records_->get(key)), bytes, out);
  }
  return features;
}

void FeatureStore::clear() {
  flush();
  records_.reset();
}

std::string FeatureStore::describe() const {
  if (records_ == nullptr) return "nothing yet";
  return fmt::format("{} KiB in memory, {} KiB in a file", records_->memory_bytes() >> 10,
                     records_->file_bytes() >> 10);
}

}  // namespace hanok::training
