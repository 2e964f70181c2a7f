// The lab for a user's kernels: observes every access, and at exit prints each memory instruction's
// cost and the emulator's findings, and draws a picture.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>
#include <tuple>
#include <unistd.h>
#include <unordered_map>

#include "hanok/kernels/cuda/runtime/cuda.h"
#include "tests/cuda/emulator/executor.h"
#include "tests/cuda/emulator/lab/access_pattern.h"
#include "tests/cuda/emulator/races/observer.h"

namespace hanok::emulator::lab {
namespace {

/// Collects the lanes of each warp's n-th execution of an instruction within a block. If lanes
/// diverge, their n-th executions are merged.
class Watcher : public Observer {
 public:
  void launch_begins() override;
  void block_begins() override { finish_block(); }
  void launch_ends() override { finish_block(); }

  void access(std::uintptr_t address, std::size_t bytes, Touch kind, std::uint32_t instruction,
              bool shared) override {
    const int thread = running.current;
    const int lane = thread % kWarpThreads;
    auto& times = times_[instruction];
    if (times.empty()) times.resize(kMaxThreads, 0);
    Key key{instruction, thread / kWarpThreads, times[thread]++};
    auto& entry = block_[key];
    entry.access.address[lane] = address;
    entry.access.bytes[lane] = static_cast<std::uint8_t>(bytes);
    entry.shared = shared;
    entry.kind = kind;
  }

  /// Ordered by line.
  std::vector<Pattern> patterns() const {
    std::vector<std::uintptr_t> addresses;
    for (const auto& [key, pattern] : patterns_) addresses.push_back(key.second + load_address());
    const std::vector<std::string> lines = lines_of(addresses);
    std::vector<Pattern> result;
    std::size_t i = 0;
    for (const auto& [key, pattern] : patterns_) {
      result.push_back(pattern);
      result.back().kernel = function_name(key.first);
      result.back().line = lines[i++];
    }
    std::stable_sort(result.begin(), result.end(), [](const Pattern& a, const Pattern& b) {
      const auto number = [](const std::string& line) {
        return std::atoi(line.c_str() + line.find(':') + 1);
      };
      return std::make_pair(a.kernel, number(a.line)) < std::make_pair(b.kernel, number(b.line));
    });
    return result;
  }

 private:
  struct Key {
    std::uint32_t instruction;
    int warp, time;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return (std::size_t{key.instruction} * 31 + static_cast<std::size_t>(key.warp)) * 1000003 +
             static_cast<std::size_t>(key.time);
    }
  };
  struct Entry {
    WarpAccess access;
    bool shared = false;
    Touch kind = Touch::Read;
  };

  void finish_block() {
    for (const auto& [key, entry] : block_) {
      Pattern& pattern = patterns_[{running.launch->kernel, key.instruction}];
      const Cost cost = entry.shared ? shared_cost(entry.access) : global_cost(entry.access);
      pattern.shared = entry.shared;
      pattern.verb = entry.kind == Touch::Read    ? "read"
                     : entry.kind == Touch::Write ? "write"
                                                  : "atomic";
      pattern.bytes =
          std::max(pattern.bytes, static_cast<int>(*std::max_element(entry.access.bytes.begin(),
                                                                     entry.access.bytes.end())));
      ++pattern.warps;
      pattern.actual += cost.actual;
      pattern.best += cost.best;
      if (std::int64_t{cost.actual} * std::max(1, pattern.worst_cost.best) >
              std::int64_t{pattern.worst_cost.actual} * cost.best ||
          pattern.worst_cost.actual == 0) {
        pattern.worst_cost = cost;
        pattern.worst = entry.access;
      }
    }
    block_.clear();
    for (auto& [instruction, times] : times_) std::fill(times.begin(), times.end(), 0);
  }

  std::unordered_map<Key, Entry, Hash> block_;
  std::unordered_map<std::uint32_t, std::vector<int>> times_;  // executions by each thread
  std::map<std::pair<const void*, std::uint32_t>, Pattern> patterns_;
};

void print_patterns(const std::vector<Pattern>& patterns) {
  std::printf(
      "\nmemory accesses, per warp: shared memory in passes over its 32 banks, global memory in "
      "sectors of 32 bytes\n");
  std::printf("%-34s %-22s %9s %9s %7s\n", "", "access", "warps", "per warp", "best");
  std::string kernel;
  for (const Pattern& p : patterns) {
    if (p.kernel != kernel) std::printf("%s\n", p.kernel.c_str());
    kernel = p.kernel;
    char access[64];
    std::snprintf(access, sizeof(access), "%s %s %d B", p.shared ? "shared" : "global", p.verb,
                  p.bytes);
    std::printf("  %-32s %-22s %9lld %9.2f %7.2f   %s\n", p.line.c_str(), access,
                static_cast<long long>(p.warps), static_cast<double>(p.actual) / p.warps,
                static_cast<double>(p.best) / p.warps, verdict(p).c_str());
  }
}

/// Quotes the lines of the user's file that a text mentions.
void print_quotes(const std::string& text) {
  const char* path = std::getenv("HANOK_LAB_FILE");
  if (path == nullptr) return;
  const std::string whole = path;
  const std::string name = whole.substr(whole.rfind('/') + 1) + ":";
  std::vector<std::string> lines{""};
  std::ifstream in(whole);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  int last = 0;
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const int number = std::atoi(text.c_str() + at + name.size());
    if (number <= 0 || number >= static_cast<int>(lines.size()) || number == last) continue;
    std::printf("    %4d | %s\n", number, lines[static_cast<std::size_t>(number)].c_str());
    last = number;
  }
}

Watcher* watcher = nullptr;
Collect* findings = nullptr;

/// Runs at exit, after the user's main.
void conclude() {
  try {
    cudaDeviceSynchronize();  // runs pending work
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  std::fflush(stdout);
  const std::vector<Pattern> patterns = watcher->patterns();
  print_patterns(patterns);
  const char* path = std::getenv("HANOK_LAB_PICTURE");
  if (path != nullptr && !patterns.empty()) {
    std::ofstream(path) << picture(patterns);
    std::printf("picture: %s\n", path);
  }
  const std::vector<Report> reports = findings->reports();
  std::printf("\n%zu finding%s\n", reports.size(), reports.size() == 1 ? "" : "s");
  for (const Report& report : reports) {
    std::printf("  %s\n", report.text.c_str());
    print_quotes(report.text);
  }
  std::fflush(stdout);
  if (!reports.empty()) _exit(1);
}

[[maybe_unused]] const bool started = [] {
  watcher = new Watcher;
  findings = new Collect;
  observer = watcher;
  return true;
}();

void Watcher::launch_begins() {
  times_.clear();
  // Registered last, so that it runs at exit before the rest of the program is destroyed.
  static const int registered = std::atexit(conclude);
  (void)registered;
}

}  // namespace
}  // namespace hanok::emulator::lab

void hanok::cuda::check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(status));
}
