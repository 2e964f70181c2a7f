#include "tests/structure/source_tree.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <stdio.h>  // popen

#include "tests/support/paths.h"

namespace hanok::structure {
namespace fs = std::filesystem;

const std::vector<std::string>& rooms() {
  static const std::vector<std::string> names = {"kernels", "engine",  "nn",
                                                 "data",    "weights", "apps"};
  return names;
}

fs::path root() { return hanok::test::source_dir(); }

std::vector<std::string> files(const std::string& folder,
                               const std::vector<std::string>& extensions) {
  std::vector<std::string> found;
  if (!fs::exists(root() / folder)) return found;
  for (fs::recursive_directory_iterator it((root() / folder).lexically_normal()), end; it != end;
       ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory() &&
        (name.front() == '.' || name.rfind("build", 0) == 0 || name == "runs")) {
      it.disable_recursion_pending();
      continue;
    }
    if (name.front() == '.') continue;
    const std::string extension = it->path().extension().string();
    if (it->is_regular_file() &&
        std::find(extensions.begin(), extensions.end(), extension) != extensions.end()) {
      found.push_back(fs::relative(it->path(), root()).generic_string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string read(const std::string& path) {
  std::ifstream in(root() / path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int line_count(const std::string& text) {
  const auto newlines = std::count(text.begin(), text.end(), '\n');
  const bool open_line = !text.empty() && text.back() != '\n';
  return static_cast<int>(newlines) + (open_line ? 1 : 0);
}

Includes includes(const std::string& text) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  Includes result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_search(line, match, pattern)) continue;
    (match[1] == "\"" ? result.quoted : result.angled).push_back(match[2]);
  }
  return result;
}

std::string included_file(const std::string& quoted) {
  const std::string prefix = "hanok/";
  if (quoted.rfind(prefix, 0) == 0) return quoted.substr(prefix.size());
  const auto& names = rooms();
  const bool bare_room = std::find(names.begin(), names.end(), room_of(quoted)) != names.end();
  return bare_room ? "" : quoted;
}

std::string room_of(const std::string& path) { return path.substr(0, path.find('/')); }

std::vector<std::string> public_headers() {
  const std::string list = hanok::test::binary_dir() + "/public_headers.txt";
  std::ifstream in(list);
  if (!in) throw std::runtime_error(list + ": cannot be read");
  std::vector<std::string> headers;
  for (std::string line; std::getline(in, line);) headers.push_back(line);
  std::sort(headers.begin(), headers.end());
  return headers;
}

CommandResult run_command(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  CommandResult result;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), count);
  }
  result.status = pclose(pipe);
  return result;
}

}  // namespace hanok::structure
