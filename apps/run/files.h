// Files that are whole or absent: written under a temporary name, synced, renamed.
#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

/// Writes all of `content` so that `path` holds either its old content or the new one, whatever
/// happens. A path that exists and is no regular file (a pipe, a device) is written directly.
/// Throws IoError with the system's reason ("No space left on device").
void write_file(const std::string& path, const std::string& content);

/// Throws IoError if write_file(path) would fail: called before the work whose result it takes.
void check_can_be_written(const std::string& path);

/// The whole file. Throws IoError.
std::string read_file(const std::string& path);

/// True if JSON, TOML and safetensors can hold the text: names of files are any bytes.
bool is_utf8(const std::string& text);

/// Makes the folder and those above it. Throws IoError.
void make_folder(const std::string& path);

}  // namespace hanok::training
#pragma GCC visibility pop
