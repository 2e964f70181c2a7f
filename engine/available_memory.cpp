#include "hanok/engine/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>

namespace hanok {
namespace {

constexpr std::size_t kUnknown = std::numeric_limits<std::size_t>::max();

/// The number in a one-line file; kUnknown if it is missing or "max".
std::size_t read_number(const std::string& path) {
  std::ifstream file(path);
  std::size_t value = 0;
  return file >> value ? value : kUnknown;
}

/// The sum of the numbers with these names in a file of lines "name number ...".
std::size_t sum_of(const std::string& path, const std::string& first, const std::string& second) {
  std::ifstream file(path);
  std::size_t sum = 0;
  std::size_t number = 0;
  std::string name, rest;
  while (file >> name >> number && std::getline(file, rest)) {
    if (name == first || name == second) sum += number;
  }
  return sum;
}

/// File names of one version of control groups.
struct GroupFiles {
  const char* folder;
  const char* limit;
  const char* usage;
  const char* inactive;
  const char* active;
};
constexpr GroupFiles kVersion1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                  "memory.usage_in_bytes", "total_inactive_file",
                                  "total_active_file"};
constexpr GroupFiles kVersion2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file",
                                  "active_file"};

/// The memory left under the limit of one group; kUnknown if it has no limit.
std::size_t left_in(const std::string& folder, const GroupFiles& files) {
  const std::size_t limit = read_number(folder + "/" + files.limit);
  const std::size_t usage = read_number(folder + "/" + files.usage);
  if (limit == kUnknown || usage == kUnknown) return kUnknown;
  const std::size_t cache = sum_of(folder + "/memory.stat", files.inactive, files.active);
  const std::size_t held = usage - std::min(usage, cache);
  return limit - std::min(limit, held);
}

/// The minimum over the group `path` and its parents. A container may see its own group as the
/// root; then only that one exists.
std::size_t left_along(std::string path, const std::string& root, const GroupFiles& files) {
  std::size_t left = left_in(root + files.folder, files);
  for (; path.size() > 1 && path.front() == '/'; path.resize(path.rfind('/'))) {
    left = std::min(left, left_in(root + files.folder + path, files));
  }
  return left;
}

}  // namespace

std::size_t available_memory(const std::string& root) {
  const std::size_t kibibytes = sum_of(root + "/proc/meminfo", "MemAvailable:", "");
  std::size_t available = kibibytes == 0 ? kUnknown : kibibytes << 10;
  // Lines "number:controllers:/path"; version 2 has number 0 and names no controllers.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") available = std::min(available, left_along(path, root, kVersion2));
    if (controllers.find(",memory,") != std::string::npos) {
      available = std::min(available, left_along(path, root, kVersion1));
    }
  }
  return available;
}

}  // namespace hanok
