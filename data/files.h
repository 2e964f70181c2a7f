// Lists folders and image files in a fixed order and counts what is skipped. Private to this room.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace hanok::data {

/// The reason to skip a file of this name ("hidden file", ...); empty for an image file (see
/// has_image_extension).
std::string skip_reason(const std::string& file_name);

/// True for the folder of a run of finetune, which holds its config.toml, or run.lock while it is
/// made: no data, even if it lies among them.
bool is_run_folder(const std::string& folder);

/// Names of the folders directly in `folder` in byte order; skipped entries, run folders among
/// them, are counted in `skipped`. Throws IoError if `folder` cannot be read.
std::vector<std::string> list_folders(const std::string& folder,
                                      std::map<std::string, std::int64_t>& skipped);

/// Names of the .csv files directly in `folder`, in byte order.
std::vector<std::string> list_tables(const std::string& folder);

/// Image files below `folder` at any depth, as relative paths in byte order; other files are
/// counted in `skipped`. Links to folders are followed; cycles are detected and skipped.
std::vector<std::string> list_images(const std::string& folder,
                                     std::map<std::string, std::int64_t>& skipped);

/// Tar archives (*.tar) below `folder` at any depth, as relative paths in byte order; other files
/// and folders *.tar are counted in `skipped`. Archives that are compressed (*.tar.gz, *.tgz, ...)
/// are listed in `compressed`.
std::vector<std::string> list_shards(const std::string& folder,
                                     std::map<std::string, std::int64_t>& skipped,
                                     std::vector<std::string>& compressed);

/// True if list_images() would find any.
bool holds_images(const std::string& folder);

/// Those of list_folders() that hold images; what is skipped is not counted.
std::vector<std::string> folders_with_images(const std::string& folder);

/// Which file it is, however its path is spelled: the same for all links to it.
struct FileId {
  std::uint64_t device = 0, inode = 0;
  bool operator<(const FileId& other) const {
    return std::tie(device, inode) < std::tie(other.device, other.inode);
  }
};
/// Empty if there is no such file or folder.
std::optional<FileId> file_id(const std::string& path);

/// "photos/a_01.jpg" -> "a_01"
std::string file_stem(const std::string& path);

}  // namespace hanok::data
