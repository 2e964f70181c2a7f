// Photographs as training sees them.
#pragma once

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/samples/experiment_data.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// The fold's first training photograph of each of the first classes, a row each: the photograph
/// after preprocessing, then as --augment changes it in the first epochs. mixup and cutmix are not
/// shown. Throws IoError or FormatError for a photograph that cannot be read.
data::Image augmented_sheet(const training::Options& options, const training::ExperimentData& data,
                            int fold);

}  // namespace hanok::run_report
#pragma GCC visibility pop
