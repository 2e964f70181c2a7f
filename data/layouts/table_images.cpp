#include "hanok/data/layouts/table_images.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include "hanok/data/files.h"
#include "hanok/data/layouts/split_folders.h"
#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace fs = std::filesystem;

namespace hanok::data {
namespace {

std::string without_extension(const std::string& path) {
  return fs::path(path).replace_extension().string();
}

/// How names are compared: '/' between folders, no "./", composed letters.
std::string key_of(std::string name) {
  if (name.find('/') == std::string::npos) std::replace(name.begin(), name.end(), '\\', '/');
  return nfc(fs::path(name).lexically_normal().string());
}

/// True if the path lies in a folder that is called as a split is, and that is the test's.
bool is_for_testing(const std::string& path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string::npos) return false;
  const std::string folder = path.substr(0, slash);
  return is_split_name(folder) && split_of_name(folder) == "test";
}

}  // namespace

void TableImages::read_folder() {
  is_read_ = true;
  std::map<std::string, std::int64_t> skipped;
  images_ = list_images(root_, skipped);
  for (std::size_t i = 0; i < images_.size(); ++i) {
    const std::string path = nfc(images_[i]);
    for (const std::string& whole : {path, without_extension(path)}) {
      for (std::size_t at = 0; at != std::string::npos;) {
        by_end_[whole.substr(at)].push_back(i);
        const std::size_t slash = whole.find('/', at);
        at = slash == std::string::npos ? slash : slash + 1;
      }
    }
  }
}

std::vector<std::string> TableImages::images_with(const std::string& key) const {
  const auto found = by_end_.find(key);
  if (found == by_end_.end()) return {};
  std::vector<std::string> whole, all;
  for (const std::size_t i : found->second) {
    all.push_back(images_[i]);
    const std::string path = nfc(images_[i]);
    if (path == key || without_extension(path) == key) whole.push_back(images_[i]);
  }
  return whole.empty() ? all : whole;
}

std::string TableImages::find(const std::string& name) {
  std::error_code error;
  if (fs::is_regular_file(root_ + "/" + name, error)) return name;
  if (!is_read_) read_folder();
  std::vector<std::string> images = images_with(key_of(name));
  if (images.empty()) return name;
  // "0" in train.csv is train/0.jpg, not test/0.jpg.
  if (images.size() > 1 && std::any_of(images.begin(), images.end(), [](const std::string& image) {
        return !is_for_testing(image);
      })) {
    std::erase_if(images, is_for_testing);
  }
  if (images.size() > 1) {
    throw ValueError(fmt::format("'{}' stands for several images: {} and {}{}", name, images[0],
                                 images[1], images.size() > 2 ? ", ..." : ""));
  }
  if (completed_++ == 0) example_ = fmt::format("'{}' to '{}'", name, images[0]);
  return images[0];
}

std::string TableImages::completed() const {
  if (completed_ == 0) return {};
  return fmt::format("{} name{} to paths, such as {}", completed_, completed_ == 1 ? "" : "s",
                     example_);
}

}  // namespace hanok::data
