// Lists of transforms as TOML: [[transform]] tables, in --augment FILE and in config.toml.
#pragma once

#include <string>

#include "hanok/data/augmentation.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The [[transform]] tables of a TOML text called `name`; empty if it has none. Throws UsageError
/// naming file, line and key.
data::Augmentation transforms_in_toml(const std::string& text, const std::string& name);

/// The same of a file that holds nothing else, and at least one. Throws IoError if it cannot be
/// read.
data::Augmentation read_augmentation(const std::string& path);

/// [[transform]] tables with all parameters.
std::string transforms_to_toml(const data::Augmentation& augmentation);

/// All transforms with their parameters, ranges and defaults: printable.
std::string transforms_table();

}  // namespace hanok::training
#pragma GCC visibility pop
