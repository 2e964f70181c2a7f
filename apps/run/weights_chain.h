// A link for each epoch of a fold: the hash of the weights after it and of the links before. Two
// trainings whose links agree had the same weights after each epoch up to there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class WeightsChain {
 public:
  /// The link of `model`'s present parameters and buffers after the link `before`, as 16
  /// hexadecimal digits. `before` is empty for the first one. Tensors that were not written since
  /// the last call (frozen ones) are not read again.
  std::string link(nn::Module& model, const std::string& before);

 private:
  struct Hashed {
    const void* data = nullptr;
    std::uint64_t version = 0, hash = 0;
  };
  std::vector<Hashed> hashed_;  // by the order of the model's state_dict
};

}  // namespace hanok::training
#pragma GCC visibility pop
