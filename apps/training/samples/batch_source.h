// Where a loop over samples gets its batches from, and the network's predictions for them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/training/device/device_feed.h"
#include "hanok/data/loader.h"
#include "hanok/nn/module.h"
#include "hanok/nn/stages.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class BatchSource {
 public:
  /// Reports what the user should know about a batch.
  explicit BatchSource(Reporter& reporter) : reporter_(reporter) {}
  virtual ~BatchSource() = default;
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;

  /// As data::Loader::start_epoch; `draw` keys the augmentation.
  virtual void start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                           std::int64_t first_batch = 0) = 0;
  /// After OutOfMemory or std::bad_alloc the same batch is next. False at the end. `batch.images`
  /// is what forward() takes: images, or what a frozen beginning of the network made of them.
  virtual bool next(data::Batch& batch) = 0;
  /// The logits of a batch, or of a part of it.
  virtual Tensor forward(const Tensor& inputs) = 0;
  /// Blocks that are forward(), one after the other (nn::StagedModule::blocks); none if the network
  /// cannot be cut.
  virtual std::vector<nn::Block> blocks() = 0;
  /// Images of a full batch.
  virtual std::int64_t batch_size() const = 0;

  Reporter& reporter() const { return reporter_; }

 private:
  Reporter& reporter_;
};

/// forward(inputs) in `parts` parts, more of them where memory does not suffice: `parts` grows
/// then, which is reported. In evaluation, an image gives the same bits in any part (NominalBatch).
/// Without gradients.
Tensor forward_in_parts(const std::function<Tensor(const Tensor&)>& forward, const Tensor& inputs,
                        std::int64_t& parts, Reporter& reporter);

/// batches.next(batch); where memory does not suffice for it, again once caches are given back.
bool next_batch(BatchSource& batches, data::Batch& batch);

/// A loader's batches on the device where the model is.
class DeviceBatches {
 public:
  DeviceBatches(nn::Module& model, data::Loader& loader);
  void start_epoch(std::int64_t draw, std::vector<std::int64_t> order, std::int64_t first_batch);
  /// As the loader's, with the images on the device; labels stay on the CPU. After OutOfMemory the
  /// same batch is next.
  bool next(data::Batch& batch);
  /// Images or features of a batch, from the CPU to the device, asynchronously.
  Tensor on_device(const Tensor& host);
  std::int64_t batch_size() const { return loader_.batch_size(); }

 private:
  Device device_;
  data::Loader& loader_;
  std::unique_ptr<DeviceFeed> feed_;  // null on the CPU
  std::optional<data::Batch> taken_;  // from the loader, and not handed on yet
};

/// Images from a loader through the whole network.
class ImageBatches final : public BatchSource {
 public:
  ImageBatches(nn::Module& model, data::Loader& loader, Reporter& reporter)
      : BatchSource(reporter), model_(model), batches_(model, loader) {}
  void start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                   std::int64_t first_batch = 0) override {
    batches_.start_epoch(draw, std::move(order), first_batch);
  }
  bool next(data::Batch& batch) override { return batches_.next(batch); }
  Tensor forward(const Tensor& inputs) override { return model_(inputs); }
  std::vector<nn::Block> blocks() override;
  std::int64_t batch_size() const override { return batches_.batch_size(); }

 private:
  nn::Module& model_;
  DeviceBatches batches_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
