// The reports of `inspect`. Each goes to a Reporter and throws what went wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/apps/options/option_values.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::inspection {

using training::Reporter;

struct DataOptions {
  std::string data{};  // a folder, or the table of a csv data set
  data::DatasetOptions reading{};
  training::Grouping group{};  // auto
  bool all = false;            // list everything, not the first 20 of each kind
  std::string report{};        // the page to write (.html); empty: none
  std::string groups_out{};    // the table of proposed groups to write (.csv); empty: none
  std::string features{};      // a network that compares photographs; empty: none
  std::string features_weights = "imagenet";  // or a bare state_dict file
  std::string against{};                      // photographs to compare with; empty: none
  bool faces = false;                         // also search every photograph for faces
  faces::MakeFaceFinder make_finder = faces::make_mtcnn;
};
/// Reads and decodes every photograph of a data set and reports what training will get: classes,
/// sizes, formats, what is skipped, unreadable, duplicated or odd, and how classes are distributed
/// over groups. Throws what load_dataset() throws; UsageError or IoError for files that cannot be
/// written or that would replace the data, before a photograph is decoded; with
/// `faces` IoError where the detector's weights are missing; Error if the user interrupts, before
/// a file is written.
void inspect_data(const DataOptions& options, Reporter& reporter);

struct ModelOptions {
  std::string model{};
  std::int64_t image_size = 224;
  std::int64_t classes = 1000;
  std::string dot{};       // file to write the graph to; empty: none
  bool kernels = false;    // report the algorithms of all passes too
  std::int64_t batch = 1;  // images that these are chosen for
};
/// The tree of modules with output shapes, parameters and FLOPs, then the ops of a forward pass.
/// With `kernels`, also how the CPU computes each convolution forward and backward.
/// Throws ValueError for an unknown model or a size that it cannot take.
void inspect_model(const ModelOptions& options, Reporter& reporter);

/// Names, shapes, types and statistics of a weight file's tensors.
void inspect_weights(const std::string& path, Reporter& reporter);

/// What this build can compute on, on this machine.
void inspect_devices(Reporter& reporter);

struct AugmentOptions {
  std::string source{};  // a data set's folder or table, or one photograph
  data::DatasetOptions reading{};
  std::string out{};                 // .png or .jpg
  std::vector<std::string> kinds{};  // names of lists or transforms, files, mixup, cutmix, all
  double alpha = 1;                  // of mixup and cutmix
  std::int64_t epochs = 6, image_size = 224, sample = 0;
  std::uint64_t seed = 0;
};
/// One photograph as training would see it, a row for each kind of augmentation and a column for
/// each epoch; the first column is the photograph itself. Without kinds: light, strong and
/// randaugment, and for a data set mixup and cutmix with a photograph of another class. Throws
/// Error if the user interrupts.
void inspect_augment(const AugmentOptions& options, Reporter& reporter);

/// All transforms with their parameters, for --augment FILE.
void inspect_transforms(Reporter& reporter);

}  // namespace hanok::inspection
#pragma GCC visibility pop
