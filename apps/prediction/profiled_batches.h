// predict --profile: batches as the steps of a profile.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/training/samples/batch_source.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Counts the work between one batch and the next as a step.
class ProfiledBatches final : public BatchSource {
 public:
  /// `batch_count` returns how many batches an epoch has once it has started.
  ProfiledBatches(BatchSource& batches, StepProfile& profile,
                  std::function<std::int64_t()> batch_count)
      : BatchSource(batches.reporter()),
        batches_(batches),
        profile_(profile),
        batch_count_(std::move(batch_count)) {}
  void start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                   std::int64_t first_batch = 0) override;
  bool next(data::Batch& batch) override;
  Tensor forward(const Tensor& inputs) override { return batches_.forward(inputs); }
  std::vector<nn::Block> blocks() override { return batches_.blocks(); }
  std::int64_t batch_size() const override { return batches_.batch_size(); }

 private:
  BatchSource& batches_;
  StepProfile& profile_;
  std::function<std::int64_t()> batch_count_;
  std::int64_t next_batch_ = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
