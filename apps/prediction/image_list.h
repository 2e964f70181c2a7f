// The images to predict: from folders, files, or a CSV.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct ImageList {
  data::Dataset dataset;            // labels unknown (-1); a file that is not there is listed, too
  std::vector<std::string> names;   // as the user wrote them, or ImageID
  bool submission = false;          // from a CSV with ImageID: the output is `ImageID,ans`
  std::vector<std::string> tables;  // the CSV
  std::map<std::string, std::int64_t> skipped;  // of folders: reason -> number of files
  std::vector<std::string> without_images;      // folders
  std::vector<std::string> repeated;            // names whose file was listed before
};

/// Folders are searched through for image files (data::has_image_extension) in the order of their
/// names, without hidden files; links are followed. Of a folder that has only shards (*.tar), and
/// of a shard, it is the images in them; a/b.tar/1.jpg is one of these. "-" is a list of files and
/// folders, one a line, on standard input; a CSV's images are in images/ next to it, or in its own
/// folder. Throws IoError for a folder or a table that cannot be read and ValueError if nothing is
/// listed.
ImageList list_images(const std::vector<std::string>& arguments);

}  // namespace hanok::training
#pragma GCC visibility pop
