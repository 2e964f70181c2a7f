#include "apps/training/batch_source.h"

#include "apps/training/device_option.h"

namespace hanok::training {

DeviceBatches::DeviceBatches(nn::Module& model, data::Loader& loader)
    : device_(device_of(model)), loader_(loader) {
  if (!device_.is_cpu()) feed_ = std::make_unique<DeviceFeed>(device_, loader.preprocessing());
}

bool DeviceBatches::next(data::Batch& batch) {
  if (!loader_.next(batch)) return false;
  if (feed_) batch.images = feed_->images(batch);
  return true;
}

}  // namespace hanok::training
