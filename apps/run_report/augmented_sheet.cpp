#include "hanok/apps/run_report/augmented_sheet.h"

#include <algorithm>
#include <set>
#include <vector>

#include "hanok/apps/pages/picture_sheet.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/data/augmentation.h"
#include "hanok/data/loader.h"
#include "hanok/data/transforms.h"

namespace hanok::run_report {
namespace {

constexpr std::size_t kMostRows = 6;
constexpr int kEpochs = 6;
constexpr int kMostPixels = 160;  // side of a picture

/// The first training sample of each class.
std::vector<std::int64_t> shown_samples(const training::ExperimentData& data, int fold) {
  std::vector<std::int64_t> shown;
  std::set<std::int64_t> labels;
  for (const std::int64_t i : data.training(fold)) {
    if (shown.size() == kMostRows) break;
    if (labels.insert(data.dataset.samples[static_cast<std::size_t>(i)].label).second) {
      shown.push_back(i);
    }
  }
  return shown;
}

}  // namespace

data::Image augmented_sheet(const training::Options& options, const training::ExperimentData& data,
                            int fold) {
  const data::Preprocessing preprocessing = training::preprocessing(options);
  const int side = std::min(preprocessing.image_size, kMostPixels);
  const std::vector<std::int64_t> samples = shown_samples(data, fold);
  pages::PictureSheet sheet({.columns = 1 + kEpochs,
                             .rows = static_cast<int>(samples.size()),
                             .width = side,
                             .height = side});
  for (int row = 0; row < static_cast<int>(samples.size()); ++row) {
    const std::int64_t sample = samples[static_cast<std::size_t>(row)];
    const data::Image image = data::preprocess(
        data::decode_sample(data.dataset, static_cast<std::size_t>(sample)), preprocessing);
    sheet.set(0, row, data::resize(image, side, side));
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      const std::int64_t draw =
          options.augment_repeats > 0 ? epoch % options.augment_repeats : epoch;
      const data::Image augmented =
          data::augment(image, options.augment.transforms, options.seed, draw, sample);
      sheet.set(1 + epoch, row, data::resize(augmented, side, side));
    }
  }
  return sheet.picture();
}

}  // namespace hanok::run_report
