// The names of ImageNet's classes.
#pragma once

#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::weights {

/// The 1000 classes of ImageNet-1k in the order of the logits of every model in the catalogue.
/// Names are torchvision 0.29.2's (BSD-3-Clause).
const std::vector<std::string>& imagenet_classes();

}  // namespace hanok::weights
#pragma GCC visibility pop
