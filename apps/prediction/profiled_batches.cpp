#include "hanok/apps/prediction/profiled_batches.h"

namespace hanok::training {

void ProfiledBatches::start_epoch(std::int64_t draw, std::vector<std::int64_t> order,
                                  std::int64_t first_batch) {
  next_batch_ = first_batch;
  batches_.start_epoch(draw, std::move(order), first_batch);
}

bool ProfiledBatches::next(data::Batch& batch) {
  profile_.end_step();
  profile_.begin_step(batch_count_() - ++next_batch_);
  if (batches_.next(batch)) return true;
  profile_.abandon_step();
  return false;
}

}  // namespace hanok::training
