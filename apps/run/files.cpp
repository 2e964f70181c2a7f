#include "hanok/apps/run/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unistd.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/atomic_file.h"

namespace hanok::training {
namespace {

/// For a pipe or a device, which nothing can be renamed to.
void write_directly(const std::string& path, const std::string& content) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  const bool whole = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (std::fclose(file) != 0 || !whole) {
    throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
}

}  // namespace

void write_file(const std::string& path, const std::string& content) {
  std::error_code error;
  if (std::filesystem::is_other(path, error)) return write_directly(path, content);
  weights::AtomicFile file(path);
  file.write(content.data(), content.size());
  file.commit();
}

void check_can_be_written(const std::string& path) {
  const auto refuse = [&path](const std::string& reason) {
    throw IoError(fmt::format("{}: cannot be written: {}", path, reason));
  };
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) refuse("it is a folder");
  if (std::filesystem::is_other(path, error)) return;  // a pipe or device: written as it is
  if (!std::filesystem::is_directory(folder, error)) refuse("there is no folder " + folder);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) refuse(std::strerror(errno));
}

std::string read_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw IoError(fmt::format("{}: cannot be read: it is a folder", path));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) throw IoError(fmt::format("{}: cannot be read", path));
  return content;
}

bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
}

}  // namespace hanok::training
