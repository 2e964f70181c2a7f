// --weights: the file that training starts from.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/weights/weights.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Path of the file; empty for random weights. Throws IoError if it is missing, empty, a folder or
/// a pipe, or may not be read, and for ImageNet's weights as weights::find_pretrained.
std::string start_weights(const Options& options);

/// What --rename says. Throws UsageError for one that is not FROM=TO.
std::vector<weights::Rename> start_renames(const Options& options);

}  // namespace hanok::training
#pragma GCC visibility pop
