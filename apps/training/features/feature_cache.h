// Caches the output of a network's frozen first layers for each image, so that later epochs start
// at the first layer that is trained.
//
// Exact: a frozen stage gives the same bits for an image whatever its place in a batch, and a batch
// that is not known as a whole is computed as without a cache.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "hanok/apps/training/features/feature_store.h"
#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct FeatureCacheOptions {
  bool enabled = true;       // false: images go through the whole network
  bool required = false;     // true: without room for the features, throw; else continue without
  std::int64_t samples = 0;  // different ones that epochs will ever visit
  std::int64_t draws = 1;    // augmentations of each that differ; `draw` is taken modulo this
  bool augmented = false;    // draws differ from the image as it is
  std::int64_t batch_size = 32;
  bool drop_last = false;          // as the loader's
  std::int64_t budget = 0;         // bytes in memory
  std::string spill_folder = ".";  // for the rest
};

class FeatureCache final : public BatchSource {
 public:
  /// All outlive the cache. The loader has the options' batch size.
  FeatureCache(nn::Module& model, data::Loader& loader, const data::Dataset& dataset,
               FeatureCacheOptions options, Reporter& reporter);

  void start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                   std::int64_t first_batch = 0) override;
  bool next(data::Batch& batch) override;
  Tensor forward(const Tensor& inputs) override;
  std::vector<nn::Block> blocks() override;
  std::int64_t batch_size() const override { return options_.batch_size; }

  /// True if this epoch keeps or uses features: the model has a frozen beginning.
  bool is_active() const { return cut_ > 0; }
  /// True if the next epoch will be so (unless its samples repeat).
  bool would_cache();
  /// Batches of this epoch that need no image.
  std::int64_t known_batches() const { return known_batches_; }
  /// Stages that the cache replaces; and what it holds: "64 KiB in memory, 0 KiB in a file".
  std::size_t cut() const { return cut_; }
  std::string describe() const { return store_.describe(); }

 private:
  struct Piece {
    std::vector<std::int64_t> samples;
    bool known = false;
  };
  /// Identifies a frozen tensor's content, so that a change is detected.
  using Version = std::pair<const void*, std::uint64_t>;
  std::vector<Version> versions_of(std::size_t cut) const;
  std::vector<std::int64_t> keys_of(const std::vector<std::int64_t>& samples) const;
  bool is_known(const std::vector<std::int64_t>& samples) const;
  void compute(data::Batch& batch);
  void recall(const std::vector<std::int64_t>& samples, data::Batch& batch);

  nn::Module& model_;
  nn::StagedModule* staged_;  // null: the model has no stages
  DeviceBatches batches_;
  const data::Dataset& dataset_;
  FeatureCacheOptions options_;
  std::size_t cut_ = 0;  // stages that are frozen; 0: not active
  std::int64_t draw_ = 0;
  std::int64_t parts_ = 1;    // of a batch, on its way through the frozen stages
  std::deque<Piece> pieces_;  // this epoch's batches to come
  data::Batch taken_;         // from the loader, where memory did not suffice for its features
  std::int64_t known_batches_ = 0;
  FeatureStore store_;             // by draw and sample
  std::vector<Version> versions_;  // of the frozen stages' tensors when it was filled
};

}  // namespace hanok::training
#pragma GCC visibility pop
