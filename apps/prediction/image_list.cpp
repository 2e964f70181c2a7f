#include "hanok/apps/prediction/image_list.h"

#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <set>

#include "hanok/apps/run/files.h"
#include "hanok/data/csv.h"
#include "hanok/data/image_files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

void add(ImageList& list, const std::string& file, const std::string& name) {
  // The data set's root is "", so paths are absolute without their leading slash.
  const std::string path = absolute_path(file).substr(1);
  list.dataset.samples.push_back({path, -1, path});
  list.names.push_back(name);
}

void add_folder(ImageList& list, const std::string& folder) {
  const data::ImageFiles files = data::image_files(folder);
  for (const std::string& path : files.paths) {
    const std::string file = (fs::path(folder) / path).string();
    add(list, file, file);
  }
  for (const auto& [reason, count] : files.skipped) list.skipped[reason] += count;
  if (files.paths.empty()) list.without_images.push_back(folder);
}

void add_csv(ImageList& list, const std::string& path) {
  const data::Csv csv = data::read_csv(path);
  const std::size_t column = csv.column("ImageID");
  const fs::path beside = fs::path(path).parent_path();
  std::error_code error;
  const fs::path images = fs::is_directory(beside / "images", error) ? beside / "images" : beside;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::string& name = csv.rows[row][column];
    const std::string wrong = data::path_problem(images.string(), name);
    if (!wrong.empty()) {
      throw FormatError(fmt::format("{}:{}: {}", path, csv.lines[row], wrong));
    }
    add(list, (images / name).string(), name);
  }
  list.submission = true;
  list.tables.push_back(path);
}

/// The names of files that an earlier name stands for, too, links resolved.
std::vector<std::string> repeated_names(const ImageList& list) {
  std::vector<std::string> repeated;
  std::set<fs::path> seen;
  for (std::size_t i = 0; i < list.names.size(); ++i) {
    std::error_code error;
    const fs::path file = fs::canonical(list.dataset.full_path(i), error);
    if (!error && !seen.insert(file).second) repeated.push_back(list.names[i]);
  }
  return repeated;
}

std::string skipped_text(const std::map<std::string, std::int64_t>& skipped) {
  std::string text;
  for (const auto& [reason, count] : skipped) {
    text += fmt::format("\n  skipped: {} x {}", count, reason);
  }
  return text;
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
    } else if (lower_extension(argument) == ".csv" && fs::exists(argument, error)) {
      if (arguments.size() > 1) {
        throw ValueError(fmt::format("{}: a CSV of images must be the only argument", argument));
      }
      add_csv(list, argument);
    } else {
      add(list, argument, argument);  // a missing file is found with those that cannot be read
    }
  }
  if (list.names.empty()) {
    throw ValueError(fmt::format("{}: no images (JPEG, PNG, WebP, BMP, GIF, TIFF){}",
                                 fmt::join(arguments, ", "), skipped_text(list.skipped)));
  }
  list.repeated = repeated_names(list);
  return list;
}

}  // namespace hanok::training
