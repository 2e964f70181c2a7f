// Photographs that cannot be read: found before anything long starts, counted and listed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Decodes every image once, takes those that cannot be read or preprocessed out of the data set,
/// and returns them.
std::vector<data::BadImage> take_out_unreadable(data::Dataset& dataset, std::int64_t workers,
                                                const data::Preprocessing& preprocessing);

/// A line for each of the first 20 and the number of the others; every line starts with a newline.
std::string list_unreadable(const std::vector<data::BadImage>& bad);

}  // namespace hanok::training
#pragma GCC visibility pop
