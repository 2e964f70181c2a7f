#include "hanok/apps/training/samples/batch_source.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "hanok/apps/options/device_option.h"
#include "hanok/apps/training/memory_fitting.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"

namespace hanok::training {

DeviceBatches::DeviceBatches(nn::Module& model, data::Loader& loader)
    : device_(device_of(model)), loader_(loader) {
  if (!device_.is_cpu()) feed_ = std::make_unique<DeviceFeed>(device_, loader.preprocessing());
}

Tensor forward_in_parts(const std::function<Tensor(const Tensor&)>& forward, const Tensor& inputs,
                        std::int64_t& parts, Reporter& reporter) {
  const NoGrad no_grad;
  const std::int64_t images = inputs.size(0);
  bool tried_again = false;
  for (;;) {
    try {
      const std::int64_t count =
          std::clamp<std::int64_t>(parts, 1, std::max<std::int64_t>(1, images));
      if (count == 1) return forward(inputs);
      std::vector<Tensor> results;
      for (std::int64_t part = 0; part < count; ++part) {
        results.push_back(
            forward(ops::slice(inputs, 0, images * part / count, images * (part + 1) / count)));
      }
      return ops::concat(results, 0);
    } catch (...) {
      const LackOfMemory lack = lack_of_memory();
      if (make_room(lack, tried_again, reporter)) continue;
      if (parts >= images) throw;
      parts *= 2;
      tried_again = false;
      reporter.print(fmt::format(
          "{}: from here on {} images go through the frozen or evaluated network in {} parts\n",
          lack.message, images, std::min(parts, images)));
    }
  }
}

bool next_batch(BatchSource& batches, data::Batch& batch) {
  bool tried_again = false;
  for (;;) {
    try {
      return batches.next(batch);
    } catch (...) {
      if (!make_room(lack_of_memory(), tried_again, batches.reporter())) throw;
    }
  }
}

void DeviceBatches::start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                                std::int64_t first_batch) {
  taken_.reset();
  loader_.start_epoch(draw, std::move(order), first_batch);
}

bool DeviceBatches::next(data::Batch& batch) {
  if (!feed_) return loader_.next(batch);
  if (!taken_) {
    data::Batch taken;
    if (!loader_.next(taken)) return false;
    taken_ = std::move(taken);
  }
  const Tensor images = on_device(taken_->images);
  batch = *std::move(taken_);
  taken_.reset();
  batch.images = images;
  return true;
}

Tensor DeviceBatches::on_device(const Tensor& host) { return feed_ ? (*feed_)(host) : host; }

std::vector<nn::Block> ImageBatches::blocks() {
  auto* staged = dynamic_cast<nn::StagedModule*>(&model_);
  return staged != nullptr ? staged->blocks() : std::vector<nn::Block>();
}

}  // namespace hanok::training
