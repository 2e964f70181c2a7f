// Explanations as a picture and as text.
#pragma once

#include <string>

#include "hanok/apps/prediction/explainer.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// For each image the photograph, what counted for the most probable class and the next, the
/// probabilities as bars, and below the nearest training photographs with their labels.
data::Image explanation_sheet(const Explanations& explanations);

/// The same as lines of text.
std::string explanation_text(const Explanations& explanations);

}  // namespace hanok::training
#pragma GCC visibility pop
