// Counts the kernels and barriers of this process and appends them to a shared file at exit.
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <unistd.h>

#include "tests/cuda/emulator/executor.h"

namespace hanok::emulator {
namespace {

std::map<const void*, std::uint64_t> launches;
std::map<std::pair<const char*, int>, std::pair<const char*, std::uint64_t>> barriers;
std::mutex mutex;

const auto started = std::chrono::steady_clock::now();

/// The value of --gtest_filter, to rerun the test; "*" if none.
std::string test_filter() {
  std::ifstream in("/proc/self/cmdline");
  const std::string option = "--gtest_filter=";
  for (std::string argument; std::getline(in, argument, '\0');) {
    if (argument.rfind(option, 0) == 0) return argument.substr(option.size());
  }
  return "*";
}

/// A single O_APPEND write per process, so that the lines of several processes do not mix.
void append_to_file() {
  const char* path = std::getenv("HANOK_EMULATOR_COUNTERS");
  if (path == nullptr || *path == '\0' || launches.empty()) return;
  const std::string program = program_path();
  std::error_code error;
  const auto time = std::filesystem::last_write_time(program, error).time_since_epoch().count();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
  std::string text = "process " + std::to_string(time) + " " + std::to_string(seconds.count()) +
                     " " + test_filter() + " " + program + "\n";
  for (const KernelCount& kernel : kernel_counts()) {
    text += "kernel " + kernel.name + " " + std::to_string(kernel.launches) + "\n";
  }
  for (const auto& [place, count] : barriers) {
    const std::string file = place.first;
    text += "barrier " + file.substr(file.rfind('/') + 1) + ":" + std::to_string(place.second) +
            " " + count.first + " " + std::to_string(count.second) + "\n";
  }
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
  close(file);
}
[[maybe_unused]] const bool registered = (std::atexit(append_to_file), true);

}  // namespace

void count_launch(const void* kernel) {
  const std::lock_guard lock(mutex);
  ++launches[kernel];
}

void count_barrier(const Site& site) {
  auto& entry = barriers[{site.file, site.line}];
  entry.first = site.what;
  ++entry.second;
}

std::vector<KernelCount> kernel_counts() {
  std::map<std::string, std::uint64_t> by_name;  // merges a template's kernels
  {
    const std::lock_guard lock(mutex);
    for (const auto& [kernel, count] : launches) by_name[function_name(kernel)] += count;
  }
  std::vector<KernelCount> counts;
  for (const auto& [name, count] : by_name) counts.push_back({name, count});
  return counts;
}

}  // namespace hanok::emulator
