#include "hanok/apps/training/features/feature_cache.h"

#include <algorithm>
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
      store_(reporter, {.keys = static_cast<std::int64_t>(dataset.samples.size()) * options_.draws,
                        .capacity = options_.samples * options_.draws,
                        .budget = options_.budget,
                        .spill_folder = options_.spill_folder,
                        .required = options_.required}) {}

std::vector<std::int64_t> FeatureCache::keys_of(const std::vector<std::int64_t>& samples) const {
  const auto images = static_cast<std::int64_t>(dataset_.samples.size());
  std::vector<std::int64_t> keys;
  for (const std::int64_t sample : samples) keys.push_back(draw_ * images + sample);
  return keys;
}

bool FeatureCache::is_known(const std::vector<std::int64_t>& samples) const {
  const std::vector<std::int64_t> keys = keys_of(samples);
  return std::all_of(keys.begin(), keys.end(),
                     [this](std::int64_t key) { return store_.holds(key); });
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
  store_.flush();
  taken_ = data::Batch();
  pieces_.clear();
  known_batches_ = 0;
  // A sample's repetitions within an epoch are augmented differently: keys would not distinguish
  // them.
  const std::unordered_set<std::int64_t> different(order.begin(), order.end());
  const bool repeats = different.size() < order.size();
  const bool possible = would_cache() && !(options_.augmented && repeats);
  const std::size_t cut = possible ? staged_->frozen_stages() : 0;
  std::vector<Version> versions = cut > 0 ? versions_of(cut) : std::vector<Version>();
  if (cut != cut_ || versions != versions_) store_.clear();
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
  return options_.enabled && !store_.out_of_room() && staged_ != nullptr &&
         staged_->frozen_stages() > 0;
}

bool FeatureCache::next(data::Batch& batch) {
  if (cut_ == 0) return batches_.next(batch);
  batch = data::Batch();  // releases its tensors for reuse
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
  batch.images = forward_in_parts(
      [this](const Tensor& images) { return staged_->forward_stages(images, 0, cut_); },
      batch.images, parts_, reporter());
  store_.add(batch.images, keys_of(batch.samples));
}

void FeatureCache::recall(const std::vector<std::int64_t>& samples, data::Batch& batch) {
  const MemoryTag tag("batches");
  std::vector<std::int64_t> labels;
  for (const std::int64_t sample : samples) {
    labels.push_back(dataset_.samples[static_cast<std::size_t>(sample)].label);
  }
  batch.images = batches_.on_device(store_.get(keys_of(samples)));
  batch.labels = Tensor::from_vector(labels, {static_cast<std::int64_t>(samples.size())});
  batch.samples = samples;
}

std::vector<nn::Block> FeatureCache::blocks() {
  return staged_ != nullptr ? staged_->blocks(cut_) : std::vector<nn::Block>();
}

Tensor FeatureCache::forward(const Tensor& inputs) {
  if (cut_ == 0) return model_(inputs);
  return staged_->forward_stages(inputs, cut_, staged_->stages().size());
}

}  // namespace hanok::training
