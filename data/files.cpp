#include "hanok/data/files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <utility>

#include "hanok/data/image_files.h"
#include "hanok/kernels/base/error.h"

namespace fs = std::filesystem;

namespace hanok::data {
namespace {

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// Files and folders that systems, disks and programs put beside one's own. Names in lower case; a
/// '*' at the end stands for anything.
struct SystemEntry {
  const char* name;
  const char* reason;
};
constexpr SystemEntry kSystemEntries[] = {
    {"._*", "AppleDouble file ._* (macOS keeps attributes in it)"},
    {".ds_store", ".DS_Store (macOS keeps window positions in it)"},
    {"__macosx", "__MACOSX (macOS adds it to archives)"},
    {".spotlight-v100", ".Spotlight-V100 (macOS keeps its search index in it)"},
    {".fseventsd", ".fseventsd (macOS keeps a log of the disk in it)"},
    {".trashes", ".Trashes (deleted files)"},
    {".trash-*", ".Trash-* (deleted files)"},
    {"thumbs.db", "Thumbs.db or desktop.ini (Windows)"},
    {"ehthumbs.db", "Thumbs.db or desktop.ini (Windows)"},
    {"desktop.ini", "Thumbs.db or desktop.ini (Windows)"},
    {"$recycle.bin", "$RECYCLE.BIN (deleted files)"},
    {"recycler", "$RECYCLE.BIN (deleted files)"},
    {"system volume information", "System Volume Information (Windows adds it to disks)"},
    {"lost+found", "lost+found (Linux adds it to disks)"},
    {"@eadir", "@eaDir (a NAS keeps thumbnails in it)"},
    {"@__thumb", "@__thumb (a NAS keeps thumbnails in it)"},
    {"@recycle", "#recycle or @Recycle (deleted files of a NAS)"},
    {"#recycle", "#recycle or @Recycle (deleted files of a NAS)"},
    {"#snapshot", "#snapshot (a NAS keeps older states in it)"},
    {"@recently-snapshot", "#snapshot (a NAS keeps older states in it)"},
    {"@*", "@... (a NAS keeps its own files in it)"},
    {"found.*", "found.000 (Windows keeps pieces of damaged files in it)"},
    {"~snapshot", "#snapshot (a NAS keeps older states in it)"},
    {"temporary items", "Temporary Items (macOS)"},
    {"network trash folder", "Network Trash Folder (deleted files)"},
    {".ipynb_checkpoints", ".ipynb_checkpoints (Jupyter keeps older states in it)"},
    {"__pycache__", "__pycache__ (Python keeps compiled files in it)"},
};

bool matches(const std::string& name, const std::string& pattern) {
  if (pattern.back() != '*') return name == pattern;
  return name.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0;
}

std::string hidden_reason(const std::string& name) {
  const std::string lowered = lower(name);
  for (const SystemEntry& entry : kSystemEntries) {
    if (matches(lowered, entry.name)) return entry.reason;
  }
  if (name.rfind('.', 0) == 0) return "hidden file or folder";
  return {};
}

/// The reason to skip a folder; empty for one that may hold data.
std::string folder_skip_reason(const fs::path& folder) {
  std::string reason = hidden_reason(folder.filename().string());
  if (reason.empty() && is_run_folder(folder.string())) {
    reason = "run folder (finetune's, it holds config.toml)";
  }
  return reason;
}

std::vector<fs::directory_entry> sorted_entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(*it);
  }
  if (error) throw IoError(folder.string() + ": " + error.message());
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.path().filename().native() < b.path().filename().native();
  });
  return entries;
}

/// A walk through a folder and those in it.
struct Walk {
  std::set<fs::path> above;  // canonical paths of the parent folders: one of them again is a cycle
  std::vector<std::string> found;
  std::map<std::string, std::int64_t>& skipped;
  bool first_only = false;  // ends with the first file that is found
  bool for_shards = false;  // collects tar archives in place of images
};

bool is_compressed_shard(const std::string& name) {
  static constexpr const char* kEndings[] = {".tar.gz", ".tgz",     ".tar.bz2", ".tbz2",  ".tar.xz",
                                             ".txz",    ".tar.zst", ".tar.lz4", ".tar.lz"};
  const std::string lowered = lower(name);
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](const char* ending) { return lowered.ends_with(ending); });
}

/// The reason to pass over a file on the search for tar archives.
std::string shard_skip_reason(const std::string& name) {
  const std::string hidden = hidden_reason(name);
  if (!hidden.empty() || name.ends_with(".tar") || is_compressed_shard(name)) return hidden;
  const std::string extension = lower(fs::path(name).extension().string());
  return extension.empty() ? "no extension" : "extension " + extension;
}

void collect_files(const fs::path& folder, const std::string& prefix, Walk& walk) {
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    if (walk.first_only && !walk.found.empty()) return;
    const std::string name = entry.path().filename().string();
    std::error_code error;
    const bool is_folder = entry.is_directory(error);
    std::string reason = is_folder         ? folder_skip_reason(entry.path())
                         : walk.for_shards ? shard_skip_reason(name)
                                           : skip_reason(name);
    if (reason.empty() && is_folder && walk.for_shards && name.ends_with(".tar")) {
      reason = "folder that is named as a tar archive";
    }
    if (reason.empty() && is_folder) {
      const fs::path real = fs::canonical(entry.path(), error);
      if (!error && walk.above.insert(real).second) {
        collect_files(entry.path(), prefix + name + "/", walk);
        walk.above.erase(real);
        continue;
      }
      reason = "link to one of its parent folders";
    } else if (reason.empty() && !entry.is_regular_file(error)) {
      reason = "broken link or special file";
    }
    if (reason.empty()) {
      walk.found.push_back(prefix + name);
    } else {
      ++walk.skipped[reason];
    }
  }
}

Walk walk_through(const std::string& folder, std::map<std::string, std::int64_t>& skipped,
                  bool first_only, bool for_shards = false) {
  std::error_code error;
  Walk walk{{fs::canonical(folder, error)}, {}, skipped, first_only, for_shards};
  collect_files(folder, "", walk);
  return walk;
}

}  // namespace

std::string skip_reason(const std::string& file_name) {
  std::string reason = hidden_reason(file_name);
  if (!reason.empty()) return reason;
  if (has_image_extension(file_name)) return {};
  const std::string extension = lower(fs::path(file_name).extension().string());
  const std::string format = left_out_format(file_name);
  if (!format.empty()) {
    return "extension " + extension + " (" + format + ", which is not read; " + advice_for(format) +
           ")";
  }
  return extension.empty() ? "no extension" : "extension " + extension;
}

std::vector<std::string> list_folders(const std::string& folder,
                                      std::map<std::string, std::int64_t>& skipped) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    const std::string name = entry.path().filename().string();
    std::error_code error;
    const bool is_folder = entry.is_directory(error);
    std::string reason = is_folder ? folder_skip_reason(entry.path()) : hidden_reason(name);
    if (reason.empty() && !is_folder) reason = "file outside the class folders";
    if (reason.empty()) {
      names.push_back(name);
    } else {
      ++skipped[reason];
    }
  }
  return names;
}

std::vector<std::string> list_tables(const std::string& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    const std::string name = entry.path().filename().string();
    std::error_code error;
    if (!hidden_reason(name).empty() || !entry.is_regular_file(error)) continue;
    if (lower(entry.path().extension().string()) == ".csv") names.push_back(name);
  }
  return names;
}

std::vector<std::string> list_images(const std::string& folder,
                                     std::map<std::string, std::int64_t>& skipped) {
  Walk walk = walk_through(folder, skipped, /*first_only=*/false);
  std::sort(walk.found.begin(), walk.found.end());
  return std::move(walk.found);
}

std::vector<std::string> list_shards(const std::string& folder,
                                     std::map<std::string, std::int64_t>& skipped,
                                     std::vector<std::string>& compressed) {
  Walk walk = walk_through(folder, skipped, /*first_only=*/false, /*for_shards=*/true);
  std::sort(walk.found.begin(), walk.found.end());
  std::vector<std::string> shards;
  for (std::string& name : walk.found) {
    (name.ends_with(".tar") ? shards : compressed).push_back(std::move(name));
  }
  return shards;
}

bool holds_images(const std::string& folder) {
  std::map<std::string, std::int64_t> skipped;
  return !walk_through(folder, skipped, /*first_only=*/true).found.empty();
}

std::vector<std::string> folders_with_images(const std::string& folder) {
  std::map<std::string, std::int64_t> skipped;
  std::vector<std::string> names = list_folders(folder, skipped);
  std::erase_if(names, [&](const std::string& name) { return !holds_images(folder + "/" + name); });
  return names;
}

bool is_run_folder(const std::string& folder) {
  std::error_code error;
  return fs::is_regular_file(fs::path(folder) / "config.toml", error) ||
         fs::is_regular_file(fs::path(folder) / "run.lock", error);
}

std::optional<FileId> file_id(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};
  return FileId{static_cast<std::uint64_t>(found.st_dev), static_cast<std::uint64_t>(found.st_ino)};
}

std::string path_problem(const std::string& root, const std::string& path) {
  if (path.empty()) return "path is empty";
  if (fs::path(path).is_absolute()) return "path '" + path + "' is absolute";
  const fs::path parts(path);
  if (std::find(parts.begin(), parts.end(), "..") == parts.end()) return {};
  const std::string leaves = "path '" + path + "' leaves the data folder";
  const fs::path as_text = parts.lexically_normal();
  if (!as_text.empty() && *as_text.begin() == "..") return leaves;
  std::error_code error;
  const fs::path from_root =
      fs::weakly_canonical(fs::path(root) / path, error)
          .lexically_relative(fs::weakly_canonical(root.empty() ? "." : root, error));
  if (from_root.empty() || *from_root.begin() == "..") return leaves;
  return {};
}

std::string file_stem(const std::string& path) { return fs::path(path).stem().string(); }

}  // namespace hanok::data
