#include "hanok/engine/available_memory.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <sstream>
#include <unistd.h>

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

/// /proc/self/statm, in bytes.
struct ProcessSize {
  std::size_t mapped = 0, resident = 0, data = 0;  // data: private and writable, stacks included
};

ProcessSize process_size(const std::string& root) {
  std::ifstream file(root + "/proc/self/statm");
  std::array<std::size_t, 6> pages{};  // size, resident, shared, text, 0, data
  for (std::size_t& number : pages) file >> number;
  if (!file) return {};
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return {.mapped = pages[0] * page, .resident = pages[1] * page, .data = pages[5] * page};
}

/// A limit of this process by its name in /proc/self/limits; kUnknown if it has none.
std::size_t limit_of_process(const std::string& root, const std::string& name) {
  std::ifstream file(root + "/proc/self/limits");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream rest(line.substr(name.size()));
    std::size_t value = 0;
    return rest >> value ? value : kUnknown;  // "unlimited"
  }
  return kUnknown;
}

std::size_t left_of(std::size_t limit, std::size_t used) {
  return limit == kUnknown ? kUnknown : limit - std::min(limit, used);
}

}  // namespace

std::size_t available_address_space(const std::string& root) {
  const ProcessSize size = process_size(root);
  return std::min(left_of(limit_of_process(root, "Max address space"), size.mapped),
                  left_of(limit_of_process(root, "Max data size"), size.data));
}

std::size_t resident_memory(const std::string& root) { return process_size(root).resident; }

std::size_t available_memory(const std::string& root) {
  const std::size_t kibibytes = sum_of(root + "/proc/meminfo", "MemAvailable:", "");
  std::size_t available = kibibytes == 0 ? kUnknown : kibibytes << 10;
  available = std::min(available, available_address_space(root));
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
