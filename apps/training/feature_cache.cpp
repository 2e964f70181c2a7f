#include "hanok/apps/training/feature_cache.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {

FeatureCache::FeatureCache(nn::Module& model, data::Loader& loader, const data::Dataset& dataset,
                           FeatureCacheOptions options, Reporter& reporter)
    : BatchSource(reporter),
      model_(model),
      staged_(dynamic_cast<nn::StagedModule*>(&model)),
      batches_(model, loader),
      dataset_(dataset),
      options_(std::move(options)),
      images_(static_cast<std::int64_t>(dataset.samples.size())) {}

bool FeatureCache::is_known(const std::vector<std::int64_t>& samples) const {
  return store_ != nullptr && std::all_of(samples.begin(), samples.end(),
                                          [this](std::int64_t s) { return store_->holds(key(s)); });
}

std::vector<FeatureCache::Version> FeatureCache::versions_of(std::size_t cut) const {
  std::vector<Version> versions;
  const auto add = [&versions](const Tensor& tensor) {
    versions.emplace_back(tensor.storage().get(), tensor.version());
  };
  const std::vector<nn::Stage> stages = staged_->stages();
  for (std::size_t i = 0; i < cut; ++i) {
    for (const nn::ChildSlot* slot : stages[i].children) {
      if (slot->module() == nullptr) continue;
      for (const Tensor& parameter : slot->module()->parameters()) add(parameter);
      for (const nn::NamedTensor& buffer : slot->module()->named_buffers()) add(buffer.tensor);
    }
  }
  return versions;
}

void FeatureCache::start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                               std::int64_t first_batch) {
  keep_pending();
  taken_ = data::Batch();
  pieces_.clear();
  known_batches_ = 0;
  // A sample's repetitions within an epoch are augmented differently: keys would not tell them
  // apart.
  const std::unordered_set<std::int64_t> different(order.begin(), order.end());
  const bool repeats = different.size() < order.size();
  const bool possible = options_.enabled && staged_ != nullptr && !(options_.augmented && repeats);
  const std::size_t cut = possible ? staged_->frozen_stages() : 0;
  std::vector<Version> versions = cut > 0 ? versions_of(cut) : std::vector<Version>();
  if (cut != cut_ || versions != versions_) store_.reset();
  cut_ = cut;
  versions_ = std::move(versions);
  if (cut_ == 0) {
    batches_.start_epoch(draw, std::move(order), first_batch);
    return;
  }
  draw_ = draw % options_.draws;
  const auto count = static_cast<std::int64_t>(order.size());
  std::vector<std::int64_t> unknown;
  for (std::int64_t begin = first_batch * options_.batch_size; begin < count;
       begin += options_.batch_size) {
    const std::int64_t end = std::min(count, begin + options_.batch_size);
    if (options_.drop_last && end - begin < options_.batch_size) break;
    Piece piece;
    piece.samples.assign(order.begin() + begin, order.begin() + end);
    piece.known = is_known(piece.samples);
    if (piece.known) {
      ++known_batches_;
    } else {
      // All but the epoch's last batch are full, so the loader cuts this list as we do.
      unknown.insert(unknown.end(), piece.samples.begin(), piece.samples.end());
    }
    pieces_.push_back(std::move(piece));
  }
  batches_.start_epoch(draw, std::move(unknown), 0);
}

bool FeatureCache::would_cache() {
  return options_.enabled && staged_ != nullptr && staged_->frozen_stages() > 0;
}

bool FeatureCache::next(data::Batch& batch) {
  if (cut_ == 0) return batches_.next(batch);
  batch = data::Batch();  // lets go of its tensors, so that they can be used again
  if (pieces_.empty()) return false;
  const Piece& piece = pieces_.front();
  if (piece.known) {
    recall(piece.samples, batch);
  } else {
    if (taken_.samples.empty() && (!batches_.next(taken_) || taken_.samples != piece.samples)) {
      throw ValueError("FeatureCache: the loader cuts the epoch into other batches");
    }
    batch = taken_;
    compute(batch);
    taken_ = data::Batch();
  }
  pieces_.pop_front();
  return true;
}

void FeatureCache::compute(data::Batch& batch) {
  const Tensor features = forward_in_parts(
      [this](const Tensor& images) { return staged_->forward_stages(images, 0, cut_); },
      batch.images, parts_, reporter());
  const std::int64_t n = features.size(0);
  const std::int64_t bytes = static_cast<std::int64_t>(features.bytes()) / n;
  if (store_ == nullptr) {
    feature_shape_ = features.shape();
    feature_type_ = features.dtype();
    make_store(bytes);
  }
  batch.images = features;
  if (store_ == nullptr) return;
  std::vector<std::int64_t> keys;
  for (const std::int64_t sample : batch.samples) keys.push_back(key(sample));
  if (features.device().is_cpu()) {
    keep(features, keys);
    return;
  }
  // Those of the batch before have come while this one's were put on their way.
  const std::size_t readback = readback_.start({features});
  keep_pending();
  pending_ = {readback, std::move(keys)};
}

/// Features [N, ...] on the CPU, by the keys of their samples.
void FeatureCache::keep(const Tensor& features, const std::vector<std::int64_t>& keys) {
  const std::int64_t bytes = static_cast<std::int64_t>(features.bytes()) / features.size(0);
  const char* values = features.view().as<char>();  // images are outermost in memory at any rank
  for (const std::int64_t key : keys) {
    store_->put(key, values);
    values += bytes;
  }
}

void FeatureCache::keep_pending() {
  if (!pending_) return;
  const Pending pending = *std::move(pending_);
  pending_.reset();
  keep(readback_.finish(pending.readback).front(), pending.keys);
}

/// Without room for it there is no cache, unless the user insists on one.
void FeatureCache::make_store(std::int64_t bytes) {
  const std::int64_t capacity = options_.samples * options_.draws;
  try {
    const std::int64_t file_bytes = capacity * bytes - options_.budget;
    const auto room = static_cast<std::int64_t>(
        std::filesystem::space(options_.spill_folder).available / (options_.required ? 1 : 2));
    if (file_bytes > room) {
      throw IoError(fmt::format("{}: no room for {} MiB of cached features", options_.spill_folder,
                                file_bytes >> 20));
    }
    store_ = std::make_unique<data::RecordStore>(
        data::RecordStoreOptions{.keys = images_ * options_.draws,
                                 .capacity = capacity,
                                 .bytes = bytes,
                                 .budget = options_.budget,
                                 .folder = options_.spill_folder,
                                 .tag = "cached features"});
  } catch (const Error& error) {
    if (options_.required) throw;
    reporter().print(fmt::format("features are not cached: {}\n", error.what()));
    options_.enabled = false;
  }
}

void FeatureCache::recall(const std::vector<std::int64_t>& samples, data::Batch& batch) {
  const MemoryTag tag("batches");
  const auto n = static_cast<std::int64_t>(samples.size());
  Shape shape = feature_shape_;
  shape[0] = n;
  Tensor features = Tensor::empty(shape, {feature_type_});
  const std::int64_t bytes =
      static_cast<std::int64_t>(features.bytes()) / std::max<std::int64_t>(1, n);
  char* out = features.mutable_view().as<char>();
  std::vector<std::int64_t> labels;
  for (const std::int64_t sample : samples) {
    out = std::copy_n(static_cast<const char*>(store_->get(key(sample))), bytes, out);
    labels.push_back(dataset_.samples[static_cast<std::size_t>(sample)].label);
  }
  batch.images = batches_.on_device(features);
  batch.labels = Tensor::from_vector(labels, {n});
  batch.samples = samples;
}

Tensor FeatureCache::forward(const Tensor& inputs) {
  if (cut_ == 0) return model_(inputs);
  return staged_->forward_stages(inputs, cut_, staged_->stages().size());
}

std::string FeatureCache::describe() const {
  if (store_ == nullptr) return "nothing yet";
  return fmt::format("{} KiB in memory, {} KiB in a file", store_->memory_bytes() >> 10,
                     store_->file_bytes() >> 10);
}

}  // namespace hanok::training
