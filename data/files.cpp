#include "hanok/data/files.h"

#include <algorithm>
#include <filesystem>
#include <set>

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

std::string hidden_reason(const std::string& name) {
  if (name.rfind("._", 0) == 0) return "AppleDouble file ._* (macOS keeps attributes in it)";
  if (name == ".DS_Store") return ".DS_Store (macOS keeps window positions in it)";
  if (name.rfind('.', 0) == 0) return "hidden file or folder";
  if (name == "__MACOSX") return "__MACOSX (macOS adds it to archives)";
  if (name == "Thumbs.db" || name == "desktop.ini") return "Thumbs.db or desktop.ini (Windows)";
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

/// `above` holds the canonical paths of the parent folders; meeting one of them again is a cycle.
void collect_images(const fs::path& folder, const std::string& prefix, std::set<fs::path>& above,
                    std::vector<std::string>& images,
                    std::map<std::string, std::int64_t>& skipped) {
  for (const fs::directory_entry& entry : sorted_entries(folder)) {
    const std::string name = entry.path().filename().string();
    std::error_code error;
    const bool is_folder = entry.is_directory(error);
    std::string reason = is_folder ? folder_skip_reason(entry.path()) : skip_reason(name);
    if (reason.empty() && is_folder) {
      const fs::path real = fs::canonical(entry.path(), error);
      if (!error && above.insert(real).second) {
        collect_images(entry.path(), prefix + name + "/", above, images, skipped);
        above.erase(real);
        continue;
      }
      reason = "link to one of its parent folders";
    } else if (reason.empty() && !entry.is_regular_file(error)) {
      reason = "broken link or special file";
    }
    if (reason.empty()) {
      images.push_back(prefix + name);
    } else {
      ++skipped[reason];
    }
  }
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

std::vector<std::string> list_images(const std::string& folder,
                                     std::map<std::string, std::int64_t>& skipped) {
  std::vector<std::string> images;
  std::error_code error;
  std::set<fs::path> above{fs::canonical(folder, error)};
  collect_images(folder, "", above, images, skipped);
  std::sort(images.begin(), images.end());
  return images;
}

bool is_run_folder(const std::string& folder) {
  std::error_code error;
  return fs::is_regular_file(fs::path(folder) / "config.toml", error) ||
         fs::is_regular_file(fs::path(folder) / "run.lock", error);
}

std::string path_problem(const std::string& path) {
  if (path.empty()) return "path is empty";
  if (fs::path(path).is_absolute()) return "path '" + path + "' is absolute";
  for (const fs::path& part : fs::path(path)) {
    if (part == "..") return "path '" + path + "' leaves the data folder";
  }
  return {};
}

std::string file_stem(const std::string& path) { return fs::path(path).stem().string(); }

}  // namespace hanok::data
