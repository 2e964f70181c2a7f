// The data of a run with --crop face: the faces are found once, before anything is trained, and the
// samples carry the parts of their images that are used.
#pragma once

#include <functional>
#include <optional>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_table.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// As prepare_data(); then, with --crop face, searches the photographs for faces and crops the
/// samples. Without the detector's weights it throws before the data are read. Empty if the user
/// interrupted the search.
std::optional<ExperimentData> prepare_cropped_data(
    const Options& options, Reporter& reporter, const faces::MakeFaceFinder& make_finder,
    const std::function<void(const data::Dataset&)>& before_decoding = {});

/// What the checkpoints of the run say of its crops; empty without --crop face.
std::optional<FaceCrop> face_crop(const Options& options, const ExperimentData& data);

}  // namespace hanok::training
#pragma GCC visibility pop
