// The nearest photographs of each photograph of a run, by what its networks make of them.
#pragma once

#include <optional>

#include "hanok/apps/label_errors/find_labels.h"

namespace hanok::label_errors {

/// By image of `predictions`. Those of an image come from a fold's network that was not trained on
/// it, and never from its own group; none for an image that `run` lacks. Empty if the user
/// interrupted.
std::optional<Neighbourhood> find_neighbours(const LabelsOptions& options,
                                             const RunPredictions& predictions,
                                             const run_report::RunRecord& run, Reporter& reporter);

}  // namespace hanok::label_errors
