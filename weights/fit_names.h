// Fits a file's tensors to a model: removes the prefix that a wrapper put in front of the names,
// maps the names of other code bases, and finds out whether the file brings a head.
#pragma once

#include <string>
#include <vector>

#include "hanok/nn/state_dict.h"
#include "hanok/weights/weights.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

/// The model that a file is to fit.
struct FitTarget {
  std::string model;      // its name in nn's registry
  std::string head;       // the path of its head: "fc"
  nn::StateDict tensors;  // its state_dict, of which names and shapes are used
};

/// A file's tensors by the model's names.
struct AlignedTensors {
  nn::StateDict tensors;
  std::vector<std::string> notes;   // what was renamed or left out, one line each
  std::vector<std::string> mapped;  // names of another code base that were mapped, as in the file
};

/// Renames the file's tensors to the model's names: the names of another code base by its table
/// (name_maps.h), and the prefix with which most tensors fit is removed or added. Tensors outside
/// that prefix are left out, unless they have a name of the model's. Throws ValueError if several
/// prefixes fit equally well.
AlignedTensors align_names(const WeightFile& file, const FitTarget& target);

/// Tensors that load_state_dict() takes as they are.
struct Fit {
  nn::StateDict tensors;
  std::vector<std::string> notes;
  bool head_is_new = false;  // the file has no head, or one of another name or shape
};

/// Aligned tensors, checked against the model. A head of another shape or structure, another name
/// or none gives way to the model's own, and so do the layers in front of it inside the same block
/// ("classifier.0" of the head "classifier.6") where the file has none of them. Anything else must
/// be there. Throws ValueError that says what is missing and what is left over, with the near
/// misses.
Fit fit_to_model(const WeightFile& file, const FitTarget& target);

}  // namespace hanok::weights
#pragma GCC visibility pop
