// The names of ImageNet's classes.
#pragma once

#include <string>
#include <vector>

namespace hanok::weights {

/// The 1000 classes of ImageNet-1k in the order of the logits of every model in the catalogue. The
/// names are those of torchvision (BSD-3-Clause), 0.29.2.
const std::vector<std::string>& imagenet_classes();

}  // namespace hanok::weights
