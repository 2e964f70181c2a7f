#include "hanok/apps/training/samples/cropped_data.h"

#include <memory>

#include "hanok/engine/runtime.h"

namespace hanok::training {

std::optional<ExperimentData> prepare_cropped_data(
    const Options& options, Reporter& reporter, const faces::MakeFaceFinder& make_finder,
    const std::function<void(const data::Dataset&)>& before_decoding) {
  std::unique_ptr<faces::FaceFinder> finder;
  if (options.crop == Crop::Face) finder = make_finder();
  ExperimentData data = prepare_data(options, before_decoding);
  if (!finder) return data;
  data.faces = faces::find_faces(data.dataset, *finder, num_threads(), reporter);
  if (!data.faces) return {};
  faces::crop_to_faces(data.dataset, *data.faces, options.face_margin);
  return data;
}

std::optional<FaceCrop> face_crop(const Options& options, const ExperimentData& data) {
  if (options.crop != Crop::Face) return {};
  return FaceCrop{.margin = options.face_margin,
                  .finder = data.faces ? data.faces->finder : std::string()};
}

}  // namespace hanok::training
