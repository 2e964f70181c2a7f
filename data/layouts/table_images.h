// Finds the files that a table names. Private to this room.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hanok::data {

/// The images below a folder, and how names in a table stand for them.
class TableImages {
 public:
  explicit TableImages(std::string root) : root_(std::move(root)) {}

  /// The path below the root of the image that `name` stands for: the path itself if there is such
  /// a file; else the one image whose path is `name` in another Unicode form, with '\' for '/',
  /// without its folders or without its extension; else `name`. Throws ValueError if several fit.
  std::string find(const std::string& name);

  /// What was completed: "2 names to paths, such as 'a' to 'images/a.png'"; empty if nothing was.
  std::string completed() const;

 private:
  void read_folder();
  std::vector<std::string> images_with(const std::string& key) const;

  std::string root_;
  bool is_read_ = false;
  std::vector<std::string> images_;
  /// Ends of images' paths, with and without the extension, and their places in images_.
  std::map<std::string, std::vector<std::size_t>> by_end_;
  std::int64_t completed_ = 0;
  std::string example_;
};

}  // namespace hanok::data
