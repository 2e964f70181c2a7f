// The images of one fold, and how an epoch cuts them into steps.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/training/fold_job.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct FoldSamples {
  explicit FoldSamples(const FoldJob& job);

  data::Dataset dataset;                           // with the labels of job.labels, for
                                                   // training corrected
  std::vector<std::int64_t> training, validation;  // indices into it
  /// True if an epoch's last batch would hold a single image: it has no batch statistics worth the
  /// name, and is left out.
  bool drop_last = false;
  std::int64_t images_per_epoch = 0, steps_per_epoch = 0;  // of training
  std::int64_t total_steps = 0;                            // of all epochs, --max-steps at most

  std::int64_t classes() const { return static_cast<std::int64_t>(dataset.class_names.size()); }
};

}  // namespace hanok::training
#pragma GCC visibility pop
