// Tells folders of a split (train/, val/, test/) from folders of classes. Private to this room.
#pragma once

#include <string>
#include <vector>

#include "hanok/data/dataset.h"

namespace hanok::data {

/// The splits among the folders `names` in `root`; none if the folders are classes. Folders with
/// images beside the splits, and a class that looks like a split, are named in `warnings`. Throws
/// ValueError if they are splits but cannot be learned from: without class folders, without
/// training images, or with two folders for one split.
SplitFolders find_split_folders(const std::string& root, const std::vector<std::string>& names,
                                std::vector<std::string>& warnings);

/// "train", "val" or "test" if a folder of this name is usually one; else empty.
std::string split_of_name(const std::string& folder_name);
/// True if the name is a split's as a whole ("train_set"), false if it only holds one
/// ("blood_test").
bool is_split_name(const std::string& folder_name);

}  // namespace hanok::data
