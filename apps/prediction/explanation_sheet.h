// Explanations as a picture and as text.
#pragma once

#include <cstddef>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/prediction/explainer.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// For each image the photograph, what counted for the most probable class and the next, the
/// probabilities as bars, and below the nearest training photographs with their labels.
data::Image explanation_sheet(const Explanations& explanations);

/// Where text is shown.
struct TextSurface {
  TextColors colors = TextColors::None;
  std::size_t columns = 80;
};
/// The same as lines of text; with colours also the photograph and, beside it, what counted for the
/// most probable class.
std::string explanation_text(const Explanations& explanations, const TextSurface& surface = {});

}  // namespace hanok::training
#pragma GCC visibility pop
