// Files that are whole or absent: written under a temporary name, synced, renamed. And what the
// system says about files and folders, as errors that name the file and the cause: none of these
// functions throws std::filesystem's own exceptions.
#pragma once

#include <cstdint>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

/// Writes all of `content` so that `path` holds either its old content or the new one, whatever
/// happens. A path that exists and is no regular file (a pipe, a device) is written directly.
/// Throws IoError with the system's reason ("No space left on device").
void write_file(const std::string& path, const std::string& content);

/// As write_file(), but a file that holds a beginning of `content` is appended to, so that a
/// program that reads along sees the rest. A process that is killed leaves such a beginning.
void grow_file(const std::string& path, const std::string& content);

/// Throws IoError if write_file(path) would fail: called before the work whose result it takes.
/// Writes a temporary file beside it and removes it: permissions do not tell of a read-only disk.
void check_can_be_written(const std::string& path);

/// The whole file; of a pipe or device at most 256 MiB. Throws IoError.
std::string read_file(const std::string& path);

/// Throws IoError if the file is missing, a folder, or may not be read.
void check_can_be_read(const std::string& path);
/// Also if it is a pipe or device, which cannot be mapped, or empty.
void check_can_be_mapped(const std::string& path);

/// False if there is nothing of that name, also behind a link. Throws IoError if that cannot be
/// found out (a name that is too long, a loop of links, a folder that may not be read).
bool exists(const std::string& path);

/// What is wrong with a JSON file of a run, by the id of the parser's exception.
std::string json_problem(int exception_id);

/// True if JSON, TOML and safetensors can hold the text: names of files are any bytes.
bool is_utf8(const std::string& text);

/// Makes the folder and those above it. Throws IoError.
void make_folder(const std::string& path);

/// The folder for temporary files: $TMPDIR, else /tmp. Throws IoError unless files can be written
/// there.
std::string temporary_folder();

/// The path from the root on, without "." and "..", where the system would find it. Throws IoError
/// if the current folder is gone.
std::string absolute_path(const std::string& path);

/// Free bytes for this user on the disk that holds `path`, which exists. Throws IoError.
std::int64_t free_bytes(const std::string& path);
/// The folder at which that disk is mounted, "/" for the system's. Throws IoError.
std::string mount_point(const std::string& path);

}  // namespace hanok::training
#pragma GCC visibility pop
