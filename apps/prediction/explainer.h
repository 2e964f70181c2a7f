// Why a network answers as it does: the work behind `explain`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/apps/options/reading_options.h"
#include "hanok/apps/prediction/heat_map.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct ExplainOptions : ReadingOptions {
  std::string run{}, checkpoint{};    // one of the two
  std::string data{};                 // where the run's photographs are now; empty: where it says
  std::vector<std::string> images{};  // files or folders
  std::string out{};                  // PNG; empty: none
  bool maps = false;                  // Grad-CAM also without `out`
  std::int64_t neighbours = 5;        // training photographs shown; needs the run's data
  faces::MakeFaceFinder make_finder = faces::make_mtcnn;  // of networks trained with --crop face
};

/// Pixels of the longer side of photographs and maps: whole ones would fill the memory.
constexpr int kExplainedSide = 512;

/// A training photograph near to the one that is explained.
struct NearPhotograph {
  std::string path{};   // as folds.csv names it
  std::string file{};   // where it lies
  std::string label{};  // its class
  float similarity = 0;
};

struct Explanation {
  std::string name{};                   // as the user wrote it
  data::Image photograph{};             // its longer side is kExplainedSide
  std::vector<float> probabilities{};   // of each class, the mean of the networks that answer
  std::vector<std::int64_t> ranked{};   // classes, most probable first
  std::vector<std::int64_t> answers{};  // each network's class
  std::vector<float> certainties{};     // each network's probability of ranked[0]
  /// The label of a photograph that is one of the run's own; empty for another one.
  std::string label{};
  /// The networks that did not train on it: one of each repeat. They alone answer. Empty for a
  /// photograph that is not the run's, or that every network trained on: then all answer.
  std::vector<std::int64_t> held_out_by{};
  /// Of the photograph's size, for the most probable class and the next; empty for a network
  /// without feature maps, and where the options request none.
  std::vector<HeatMap> maps{};
  std::int64_t neighbours_of = 0;  // the network in whose features the neighbours are near
  std::vector<NearPhotograph> neighbours{};
};

struct Explanations {
  std::vector<std::string> class_names{};
  std::vector<Explanation> images{};
  std::string missing_neighbours{};  // why there are none; empty if there are
  bool without_feature_map = false;  // no Grad-CAM is possible
};

/// Throws UsageError, IoError, FormatError; ValueError naming all images that cannot be read,
/// before anything is computed. A photograph of the run's own is known by where it lies, so
/// `data` must name where the run's photographs are if they were moved: IoError if none is there.
/// Without it, what needs no training photograph is explained.
Explanations explain(const ExplainOptions& options, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
