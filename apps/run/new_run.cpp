#include "hanok/apps/run/new_run.h"

#include <filesystem>
#include <fmt/format.h>
#include <system_error>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;

/// `path` and the folders above it that do not exist, innermost first.
std::vector<std::string> missing_folders(const std::string& path) {
  std::vector<std::string> missing;
  std::error_code error;
  fs::path at = fs::weakly_canonical(absolute_path(path), error);
  if (error) throw IoError(fmt::format("--out: {}: {}", path, error.message()));
  for (; at.has_relative_path(); at = at.parent_path()) {
    if (!at.has_filename()) continue;  // "a/" is "a"
    const fs::file_status status = fs::status(at, error);
    if (is_directory(status)) break;
    if (fs::exists(status)) {
      throw UsageError(fmt::format("--out: {}: is no folder; name another one", at.string()));
    }
    if (status.type() == fs::file_type::none) {
      throw IoError(fmt::format("--out: {}: {}", at.string(), error.message()));
    }
    std::error_code ignored;
    if (is_symlink(fs::symlink_status(at, ignored))) {
      throw UsageError(fmt::format("--out: {}: is a link to {}, which does not exist", at.string(),
                                   fs::read_symlink(at, ignored).string()));
    }
    missing.push_back(at.string());
  }
  return missing;
}

void remove_from(const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::error_code ignored;
    fs::remove_all(folder + "/" + name, ignored);
  }
}

}  // namespace

MadeFolders::MadeFolders(const std::string& path) : made_(missing_folders(path)) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw IoError(fmt::format("--out: {}: cannot be made: {}", path, error.message()));
  }
}

MadeFolders::~MadeFolders() {
  for (const std::string& folder : made_) {
    std::error_code ignored;
    fs::remove(folder, ignored);  // only if it is empty
  }
}

NewRun::NewRun(const std::string& out) : out_(out), folders_(out) {
  try {
    lock_.emplace(out);
    if (!exists(out + "/config.toml")) remove_from(out, lock_->left_behind());
    folder_ = RunFolder::create(out);
  } catch (const IoError& error) {
    throw IoError(fmt::format("--out: {}", error.what()));
  }
}

NewRun::~NewRun() { remove_from(out_, made_); }

std::string NewRun::make(const std::string& name) {
  lock_->record(name);
  made_.push_back(name);
  return out_ + "/" + name;
}

void NewRun::keep() {
  lock_->forget_records();
  made_.clear();
}

void NewRun::discard_unless_saved() {
  if (folder_->holds_checkpoint()) return;
  remove_from(out_, folder_->own_files());
}

}  // namespace hanok::training
