#include "hanok/apps/prediction/trained_crops.h"

#include <fmt/format.h>

#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {

TrainedCrops::TrainedCrops(const std::vector<LoadedModel>& models,
                           const faces::MakeFaceFinder& make_finder, Reporter& reporter)
    : reporter_(reporter) {
  for (const LoadedModel& loaded : models) {
    const std::optional<FaceCrop>& crop = loaded.card.face_crop;
    if (!crop) continue;
    if (!finder_) finder_ = make_finder();
    if (crop->finder == finder_->name()) continue;
    reporter.warn(
        fmt::format("the network was trained on faces found by '{}', these are found by '{}': "
                    "their boxes may differ",
                    crop->finder, finder_->name()));
    break;
  }
}

data::Dataset TrainedCrops::of(const data::Dataset& dataset, const ModelCard& card) {
  data::Dataset cropped = dataset;
  if (!card.face_crop) {
    for (data::Sample& sample : cropped.samples) sample.crop.reset();
    return cropped;
  }
  if (!table_) {
    table_ = faces::find_faces(dataset, *finder_, num_threads(), reporter_);
    if (!table_) throw Error("interrupted; nothing was written");
    reporter_.print(faces::describe(*table_) + "\n");
  }
  faces::crop_to_faces(cropped, *table_, card.face_crop->margin);
  return cropped;
}

}  // namespace hanok::training
