// The images to predict: from folders, files, or a CSV.
#pragma once

#include <string>
#include <vector>

#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct ImageList {
  data::Dataset dataset;           // labels unknown (-1)
  std::vector<std::string> names;  // as the user wrote them, or ImageID
  bool submission = false;         // from a CSV with ImageID: the output is `ImageID,ans`
};

/// Folders are searched through for .jpg, .jpeg and .png in the order of their names, without
/// hidden files; "-" is a list of files and folders, one a line, on standard input; a CSV's images
/// are in images/ next to it, or in its own folder. Throws IoError for what is not there and
/// ValueError if nothing is left.
ImageList list_images(const std::vector<std::string>& arguments);

}  // namespace hanok::training
#pragma GCC visibility pop
