#include "hanok/apps/prediction/image_list.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

bool looks_like_image(const fs::path& path) {
  const std::string extension = lower_extension(path);
  const bool hidden = path.filename().string().rfind('.', 0) == 0;
  return !hidden && (extension == ".jpg" || extension == ".jpeg" || extension == ".png");
}

void add(ImageList& list, const std::string& file, const std::string& name) {
  // The data set's root is "", so paths are absolute without their leading slash.
  const std::string path = absolute_path(file).substr(1);
  list.dataset.samples.push_back({path, -1, path});
  list.names.push_back(name);
}

void add_folder(ImageList& list, const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const bool hidden = it->path().filename().string().rfind('.', 0) == 0;
    std::error_code ignored;  // of a broken link
    if (hidden && it->is_directory(ignored)) it.disable_recursion_pending();
    if (it->is_regular_file(ignored) && looks_like_image(it->path())) {
      files.push_back(it->path().string());
    }
  }
  if (error) throw IoError(fmt::format("{}: {}", folder, error.message()));
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) add(list, file, file);
}

void add_csv(ImageList& list, const std::string& path) {
  const data::Csv csv = data::read_csv(path);
  const std::size_t column = csv.column("ImageID");
  const fs::path beside = fs::path(path).parent_path();
  std::error_code error;
  const fs::path images = fs::is_directory(beside / "images", error) ? beside / "images" : beside;
  for (const std::vector<std::string>& row : csv.rows) {
    add(list, (images / row[column]).string(), row[column]);
  }
  list.submission = true;
}

/// The arguments, "-" replaced by the lines of standard input.
std::vector<std::string> with_standard_input(const std::vector<std::string>& given) {
  std::vector<std::string> arguments;
  for (const std::string& argument : given) {
    if (argument != "-") {
      arguments.push_back(argument);
      continue;
    }
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty()) arguments.push_back(line);
    }
  }
  if (arguments.empty()) throw ValueError("standard input: names no images");
  return arguments;
}

}  // namespace

ImageList list_images(const std::vector<std::string>& given) {
  const std::vector<std::string> arguments = with_standard_input(given);
  ImageList list;
  list.dataset.root = "";
  list.dataset.layout = "files";
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      add_folder(list, argument);
    } else if (!exists(argument)) {
      throw IoError(fmt::format("{}: no such file or folder", argument));
    } else if (lower_extension(argument) == ".csv") {
      if (arguments.size() > 1) {
        throw ValueError(fmt::format("{}: a CSV of images must be the only argument", argument));
      }
      add_csv(list, argument);
    } else {
      add(list, argument, argument);
    }
  }
  if (list.names.empty()) {
    throw ValueError(fmt::format("{}: no images (.jpg, .jpeg, .png)", fmt::join(arguments, ", ")));
  }
  return list;
}

}  // namespace hanok::training
