#include "apps/training/feature_cache.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>

#include "engine/allocator.h"
#include "engine/autograd.h"
#include "kernels/base/error.h"

namespace hanok::training {

FeatureCache::FeatureCache(nn::Module& model, data::Loader& loader, const data::Dataset& dataset,
                           FeatureCacheOptions options)
    : model_(model),
      staged_(dynamic_cast<nn::StagedModule*>(&model)),
      loader_(loader),
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
    loader_.start_epoch(draw, std::move(order), first_batch);
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
  loader_.start_epoch(draw, std::move(unknown));
}

bool FeatureCache::would_cache() {
  return options_.enabled && staged_ != nullptr && staged_->frozen_stages() > 0;
}

bool FeatureCache::next(data::Batch& batch) {
  if (cut_ == 0) return batches_.next(batch);
  batch = data::Batch();  // lets go of its tensors, so that they can be used again
  if (pieces_.empty()) return false;
  const Piece piece = std::move(pieces_.front());
  pieces_.pop_front();
  if (piece.known) {
    recall(piece.samples, batch);
    return true;
  }
  if (!batches_.next(batch) || batch.samples != piece.samples) {
    throw ValueError("FeatureCache: the loader cuts the epoch into other batches");
  }
  compute(batch);
  return true;
}

void FeatureCache::compute(data::Batch& batch) {
  const NoGrad no_grad;
  const Tensor features = staged_->forward_stages(batch.images, 0, cut_);
  const std::int64_t n = features.size(0);
  const std::int64_t floats = features.numel() / n;
  if (store_ == nullptr) {
    feature_shape_ = features.shape();
    make_store(floats * static_cast<std::int64_t>(sizeof(float)));
  }
  batch.images = features;
  if (store_ == nullptr) return;
  const Tensor host = features.to(Device::cpu());
  const float* values = host.data<float>();  // images are outermost in memory at any rank
  for (std::int64_t i = 0; i < n; ++i) {
    store_->put(key(batch.samples[static_cast<std::size_t>(i)]), values + i * floats);
  }
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
    store_ = std::make_unique<data::RecordStore>(images_ * options_.draws, capacity, bytes,
                                                 options_.budget, options_.spill_folder,
                                                 "cached features");
  } catch (const Error& error) {
    if (options_.required) throw;
    fmt::print("features are not cached: {}\n", error.what());
    options_.enabled = false;
  }
}

void FeatureCache::recall(const std::vector<std::int64_t>& samples, data::Batch& batch) const {
  const MemoryTag tag("batches");
  const auto n = static_cast<std::int64_t>(samples.size());
  Shape shape = feature_shape_;
  shape[0] = n;
  Tensor features = Tensor::empty(shape);
  const std::int64_t floats = features.numel() / std::max<std::int64_t>(1, n);
  auto* out = features.mutable_data<float>();
  std::vector<std::int64_t> labels;
  for (const std::int64_t sample : samples) {
    out = std::copy_n(static_cast<const float*>(store_->get(key(sample))), floats, out);
    labels.push_back(dataset_.samples[static_cast<std::size_t>(sample)].label);
  }
  batch.images = features.to(batches_.device());
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
