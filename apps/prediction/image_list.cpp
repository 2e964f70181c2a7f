#include "hanok/apps/prediction/image_list.h"

#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "hanok/apps/run/files.h"
#include "hanok/data/csv.h"
#include "hanok/data/image_files.h"
#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

/// Collects the images.
class ListMaker {
 public:
  ListMaker() {
    list_.dataset.root = "";
    list_.dataset.layout = "files";
  }

  void add(const std::string& file, const std::string& name) {
    // The data set's root is "", so paths are absolute without their leading slash.
    const std::string path = absolute_path(file).substr(1);
    data::Sample sample{.path = path, .label = -1, .group = path};
    if (const std::optional<std::size_t> shard = data::shard_part("/" + path)) {
      const Shard& found = shard_at(path.substr(0, *shard - 1));
      const auto place = found.members.find(path.substr(*shard));
      if (place != found.members.end()) sample.member = place->second;
    }
    list_.dataset.samples.push_back(std::move(sample));
    list_.names.push_back(name);
  }

  void add_shard(const std::string& file) {
    for (const std::string& member : shard_at(absolute_path(file).substr(1)).names) {
      add(file + "/" + member, file + "/" + member);
    }
  }

  void add_folder(const std::string& folder) {
    const data::ImageFiles files = data::image_files(folder);
    for (const std::string& path : files.paths) {
      const std::string file = (fs::path(folder) / path).string();
      add(file, file);
    }
    const std::size_t before = list_.names.size();
    const std::vector<std::string> shards = data::shard_files(folder);
    if (files.paths.empty()) {
      for (const std::string& path : shards) add_shard((fs::path(folder) / path).string());
    }
    if (!files.paths.empty() || list_.names.size() == before) {
      for (const auto& [reason, count] : files.skipped) list_.skipped[reason] += count;
    }
    if (files.paths.empty() && list_.names.size() == before) {
      list_.without_images.push_back(folder);
    }
  }

  void add_csv(const std::string& path);
  ImageList take() { return std::move(list_); }

 private:
  struct Shard {
    std::vector<std::string> names;
    std::map<std::string, data::ShardMember> members;
  };

  /// The archive of that path below the root.
  const Shard& shard_at(const std::string& path) {
    const auto [known, is_new] = shards_.try_emplace(path);
    if (!is_new) return known->second;
    for (const data::ShardImage& image : data::images_in_shard("/" + path)) {
      known->second.names.push_back(image.name);
      known->second.members[image.name] = {
          .shard = list_.dataset.shards.size(), .offset = image.offset, .bytes = image.bytes};
    }
    list_.dataset.shards.push_back(path);
    return known->second;
  }

  ImageList list_;
  std::map<std::string, Shard> shards_;
};

void ListMaker::add_csv(const std::string& path) {
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
    add((images / name).string(), name);
  }
  list_.submission = true;
  list_.tables.push_back(path);
}

/// The names of files that an earlier name stands for, too, links resolved.
std::vector<std::string> repeated_names(const ImageList& list) {
  std::vector<std::string> repeated;
  std::set<fs::path> seen;
  for (std::size_t i = 0; i < list.names.size(); ++i) {
    std::error_code error;
    const std::string file = list.dataset.file_of(i);
    const std::string member = list.dataset.full_path(i).substr(file.size());
    fs::path found = fs::canonical(file, error);
    if (!error && !seen.insert(found += member).second) repeated.push_back(list.names[i]);
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
  ListMaker maker;
  for (const std::string& argument : arguments) {
    std::error_code error;
    if (fs::is_directory(argument, error)) {
      maker.add_folder(argument);
    } else if (lower_extension(argument) == ".csv" && fs::exists(argument, error)) {
      if (arguments.size() > 1) {
        throw ValueError(fmt::format("{}: a CSV of images must be the only argument", argument));
      }
      maker.add_csv(argument);
    } else if (argument.ends_with(".tar") && fs::is_regular_file(argument, error)) {
      maker.add_shard(argument);
    } else {
      maker.add(argument, argument);  // a missing file is found with those that cannot be read
    }
  }
  ImageList list = maker.take();
  if (list.names.empty()) {
    throw ValueError(fmt::format("{}: no images (JPEG, PNG, WebP, BMP, GIF, TIFF){}",
                                 fmt::join(arguments, ", "), skipped_text(list.skipped)));
  }
  list.repeated = repeated_names(list);
  return list;
}

}  // namespace hanok::training
