// The source tree as these tests see it: files by room, their lines and what they include.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hanok::structure {

/// Rooms from the lowest to the highest.
const std::vector<std::string>& rooms();

/// Root of the repository.
std::filesystem::path root();

/// Files under `folder` (relative to the root) with one of `extensions`, as sorted paths relative
/// to the root; hidden, build and run folders are left out.
std::vector<std::string> files(const std::string& folder,
                               const std::vector<std::string>& extensions = {".h", ".cpp"});

/// The whole text of a file, by its path relative to the root. Throws std::runtime_error.
std::string read(const std::string& path);

/// Number of lines of a text.
int line_count(const std::string& text);

struct Includes {
  std::vector<std::string> quoted;  // "hanok/engine/tensor.h"
  std::vector<std::string> angled;  // <vector>
};
Includes includes(const std::string& text);

/// The file that an include names: "hanok/engine/tensor.h" -> "engine/tensor.h". Empty if a room is
/// named without "hanok/", which a user's own folder of that name could hide.
std::string included_file(const std::string& quoted);

/// First part of a path: "kernels/base/shape.h" -> "kernels".
std::string room_of(const std::string& path);

/// Headers that users of the library may include, as "nn/layers.h": those that each room names in
/// its CMakeLists.txt and that `cmake --install` puts in place.
std::vector<std::string> public_headers();

/// What a command prints to both outputs, and its exit status.
struct CommandResult {
  std::string output;
  int status = 0;
};
CommandResult run_command(const std::string& command);

}  // namespace hanok::structure
