// What lies where in the Python object of a .pth file: the dictionaries that hold tensors, the
// modules, and the objects that stay opaque.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "hanok/weights/torch_objects.h"

namespace hanok::weights {

/// The keys and indices that lead to an object, from the outside to the inside.
struct CheckpointPath {
  struct Step {
    std::string text;       // the key, or the index as text
    bool is_index = false;  // of a list
  };
  std::vector<Step> steps;

  /// "[model][ema]"; empty for the file's own object.
  std::string display() const;
  /// "model.ema": what stands in front of names when several dictionaries are taken.
  std::string dotted() const;
  /// "['model'][0]": as Python writes it behind the loaded object.
  std::string python() const;
};

/// A dictionary with text for keys, of which at least one holds a tensor.
struct TensorDictionary {
  CheckpointPath path;
  const pickle::Dict* dict = nullptr;
  std::size_t tensors = 0;
  /// False for what belongs to an optimizer or a scheduler.
  bool may_be_weights = true;
};

/// An object that is no data: an instance of a class, or what a function would have returned.
struct OpaqueObject {
  CheckpointPath path;
  std::string type;       // "argparse.Namespace"
  std::size_t count = 1;  // of this type in the same list
  bool is_module = false;
};

struct Survey {
  std::vector<TensorDictionary> dictionaries;  // the outer ones first: see kMostDictionaries
  std::size_t more_dictionaries = 0;           // those beyond
  std::vector<OpaqueObject> objects;           // the first of them: see kMostObjects
  std::size_t more_objects = 0;                // those beyond
};
inline constexpr std::size_t kMostObjects = 100;
/// Each costs its path and is compared with the others; a dictionary takes ten bytes of a pickle.
inline constexpr std::size_t kMostDictionaries = 10'000;

/// Looks into dictionaries, lists and tuples (also those of classes derived from them), at most
/// eight deep; each is visited once, so cycles end.
Survey survey(const pickle::Value& root);

/// The tensor that a value is; null if it is none.
inline const TensorRef* as_tensor(const pickle::Value& value) {
  const auto* tensor = value.as<std::shared_ptr<const TensorRef>>();
  return tensor == nullptr ? nullptr : tensor->get();
}

/// The items of a dictionary, or of an object of a class derived from it; null if there are none.
const pickle::Dict* items_of(const pickle::Value& value);

}  // namespace hanok::weights
