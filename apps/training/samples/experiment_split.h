// Cuts the data of a run into folds, or takes the split that they have.
#pragma once

#include "hanok/apps/options/options.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// --folds with auto decided: given if the data have folders train and val and no other option
/// makes a split, else 5. Throws UsageError for given where they have none.
FoldCount resolved_folds(const Options& options, const data::Dataset& dataset);

/// Folds of one repeat, as fold_count of ExperimentData counts them: 1 for a single split. For
/// options whose folds are resolved; `folds` are those of --folds-file, if there is one.
int folds_of_repeat(const Options& options, const data::Folds& folds);

/// Sets the folds of `data` and what to report of them; `given` are the folds of --folds-file, if
/// there is one. Throws what prepare_data() throws for them.
void split_data(ExperimentData& data, Options options, const data::Folds& given = {});

}  // namespace hanok::training
#pragma GCC visibility pop
