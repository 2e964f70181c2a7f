// Predictions of trained networks for images: the work behind `predict`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/apps/options/reading_options.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct PredictOptions : ReadingOptions {
  // Exactly one of the three: runs (the probabilities of all their folds are averaged), one
  // checkpoint, or a bare state_dict file of `model`, "imagenet" for its published weights (with
  // the preprocessing and classes of these).
  std::vector<std::string> runs{};
  std::string checkpoint{}, weights{};
  std::string model{};
  std::vector<std::string> images{};  // folders, files, "-", or one CSV with a column ImageID
  std::string out{};
  bool probabilities = false;  // adds a column per class
  bool logits = false;         // adds a column per class: "logit:CLASS"
  bool profile = false;        // write where the first batches' time goes: OUT.profile.json, .txt
  faces::MakeFaceFinder make_finder = faces::make_mtcnn;  // of networks trained with --crop face
};

struct PredictSummary {
  std::int64_t rows = 0, networks = 0;
  std::vector<data::BadImage> unreadable{};  // by the names that the user gave
  double seconds = 0;                        // from the first image read to the last prediction
};

/// Writes `out`: `ImageID,ans` (the class's number) in the CSV's order for a CSV of images, else
/// `path,label,probability`, a row for every image in the order given. If some cannot be read, a
/// column `error` follows that says why; their other fields are empty. Throws UsageError, also if
/// `out` is a file that it reads, IoError, FormatError; ValueError listing the unreadable images if
/// that is all of them, or any of a CSV's.
PredictSummary predict(const PredictOptions& options, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
