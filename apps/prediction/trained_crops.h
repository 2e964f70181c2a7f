// Photographs cropped as those were on which a network was trained.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_table.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class TrainedCrops {
 public:
  /// Makes the finder if one of the networks was trained on faces. Throws IoError if its weights
  /// are missing; warns if it is another one than that of the training. `models` need not outlive
  /// this.
  TrainedCrops(const std::vector<LoadedModel>& models, const faces::MakeFaceFinder& make_finder,
               Reporter& reporter);

  /// The data set for the networks with this card: its samples have their crops, those of a network
  /// that saw whole images none. Faces are found at the first call that needs them; later calls
  /// must be for the same data set. Throws Error if the user interrupts the search.
  data::Dataset of(const data::Dataset& dataset, const ModelCard& card);

 private:
  Reporter& reporter_;
  std::unique_ptr<faces::FaceFinder> finder_;  // null: no network needs it
  std::optional<faces::FaceTable> table_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
