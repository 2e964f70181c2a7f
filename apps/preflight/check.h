// finetune --check: does this recipe learn at all on these data? For those who changed or
// copied code and do not trust the result.
#pragma once

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/apps/options/options.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Prints one line per check and what to do about a failed one; writes nothing but temporary files.
///   split      no image or group is in training and in validation
///   labels     classes survive being written to folds.csv and read again
///   first loss that of a new head is near ln(classes): it is untrained
///   gradients  every layer that is trained gets a finite, non-zero gradient
///   overfit    one batch, without augmentation, is overfit by the steps of training
///   evaluation the network predicts the batch correctly in evaluation mode too
///   predict    saved, loaded and given file names, it predicts the batch's class names
/// Returns kSuccess if all hold, else kFailure. Throws the errors of its parts.
int check_recipe(const Options& options, Reporter& reporter,
                 const faces::MakeFaceFinder& make_finder = faces::make_mtcnn);

}  // namespace hanok::training
#pragma GCC visibility pop
