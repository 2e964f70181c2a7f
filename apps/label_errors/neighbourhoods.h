// The nearest photographs of each photograph of a run, by what its networks make of them.
#pragma once

#include <optional>

#include "hanok/apps/label_errors/find_labels.h"
#include "hanok/apps/training/samples/experiment_data.h"

namespace hanok::label_errors {

/// By image of `predictions`. Those of an image come from the fold's network that was not trained
/// on it, and never from its own group. Empty if the user interrupted.
std::optional<Neighbourhood> find_neighbours(const LabelsOptions& options,
                                             const RunPredictions& predictions,
                                             const training::ExperimentData& data,
                                             Reporter& reporter);

}  // namespace hanok::label_errors
