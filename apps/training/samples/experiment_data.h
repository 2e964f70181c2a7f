// The data of a run: read, checked and split.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/faces/face_table.h"
#include "hanok/apps/options/options.h"
#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"
#include "hanok/data/splits.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct ExperimentData {
  data::Dataset dataset;             // without the unreadable images
  std::vector<data::BadImage> bad;   // left out: counted and listed
  std::vector<data::Folds> repeats;  // of each sample; one, or --repeats of them
  int folds = 0;                     // of each repeat
  int fold_count = 0;                // folds that are ever validated on: of all repeats
  bool grouped = false;              // groups never cross folds
  /// With --corrections the label of each sample after them (corrections.h); else empty.
  std::vector<std::int64_t> corrected{};
  std::vector<std::string> warnings, notes;
  std::optional<faces::FaceTable> faces{};  // with --crop face (cropped_data.h)

  /// Indices of the samples that fold `fold` validates on, and of those it trains on.
  std::vector<std::int64_t> validation(int fold) const;
  std::vector<std::int64_t> training(int fold) const;

 private:
  std::vector<std::int64_t> members(int fold, bool in_fold) const;
};

/// How --layout and the options of tables say that data are to be read.
data::DatasetOptions dataset_options(const Options& options);

/// Reads, decodes every image once, splits. Throws IoError for a missing folder; ValueError for an
/// empty class, fewer than two classes, more folds than groups, a fold without training images of a
/// class (unless the competition's), or more than 5% of unreadable images (unless --allow-bad).
/// `before_decoding` is called once the files are listed and can be split: for checks that need no
/// image, so that their errors come at once.
ExperimentData prepare_data(const Options& options,
                            const std::function<void(const data::Dataset&)>& before_decoding = {});

/// Reads corrections of labels (corrections.h) for the data set as it is split. Throws as it, and
/// FormatError if they leave a fold without a photograph of a class to train on.
void correct_labels(ExperimentData& data, const std::string& csv_path);

/// What the user should see of it: layout, counts, what was skipped, warnings, table of folds.
std::string describe(const ExperimentData& data);

/// Weight of each class in the loss: 1, or with Balanced samples / (classes * members), as
/// scikit-learn's compute_class_weight; 0 for classes without members.
std::vector<float> class_weights(ClassWeights kind, const data::Dataset& dataset,
                                 const std::vector<std::int64_t>& samples);

}  // namespace hanok::training
#pragma GCC visibility pop
