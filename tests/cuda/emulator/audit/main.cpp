// Audits the emulated CUDA tests after they have run:
//   audit_emulated_cuda kernels RECORD FOLDER
//     each kernel of FOLDER was executed by some test
//   audit_emulated_cuda barriers RECORD FOLDER
//     each barrier, if left out, makes some test fail
//   audit_emulated_cuda lines GCOV OBJECTS FOLDER N
//     at least N% of FOLDER's .cu lines were executed
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <stdio.h>  // popen
#include <string>
#include <sys/wait.h>

#include "tests/cuda/emulator/audit/record.h"

namespace hanok::emulator::audit {
namespace {

namespace fs = std::filesystem;

int check_kernels(const std::string& record, const std::string& folder) {
  struct Count {
    std::uint64_t launches = 0;
    int tests = 0;
  };
  std::map<std::string, Count> counts;
  for (const std::string& kernel : kernels_in(folder)) counts[kernel] = {};
  for (const Process& process : read_record(record)) {
    for (const auto& [kernel, launches] : process.kernels) {
      // A kernel with external linkage has no file in the symbol table.
      for (auto& [name, count] : counts) {
        const bool same = name == kernel || name.substr(name.find(':') + 1) == kernel;
        if (!same) continue;
        count.launches += launches;
        ++count.tests;
      }
    }
  }
  int missing = 0;
  for (const auto& [kernel, count] : counts) {
    std::printf("%-60s %9llu launches in %4d tests%s\n", kernel.c_str(),
                static_cast<unsigned long long>(count.launches), count.tests,
                count.tests == 0 ? "   <- executed by no test" : "");
    missing += count.tests == 0 ? 1 : 0;
  }
  std::printf("%zu kernels, %d of them executed by no test\n", counts.size(), missing);
  return missing == 0 && !counts.empty() ? 0 : 1;
}

/// A test that executed a barrier.
struct Run {
  std::string program, filter;
  double seconds;
};

/// Whether the test fails (or crashes) without the barrier.
bool notices(const Run& run, const std::string& barrier) {
  const std::string command = "HANOK_EMULATOR_COUNTERS= HANOK_SKIP_BARRIER='" + barrier +
                              "' timeout 60 '" + run.program + "' --gtest_filter='" + run.filter +
                              "' >/dev/null 2>&1";
  return std::system(command.c_str()) != 0;
}

int check_barriers(const std::string& record, const std::string& folder) {
  std::map<std::string, std::vector<Run>> runs;
  for (const Process& process : read_record(record)) {
    if (process.program.find("races") == std::string::npos) continue;
    for (const auto& [barrier, function] : process.barriers) {
      runs[barrier].push_back({process.program, process.filter, process.seconds});
    }
  }
  int unnoticed = 0, count = 0;
  for (const auto& entry : barriers_in(folder)) {
    const std::string& barrier = entry.first;
    ++count;
    auto& candidates = runs[barrier];
    std::sort(candidates.begin(), candidates.end(),
              [](const Run& a, const Run& b) { return a.seconds < b.seconds; });
    candidates.erase(std::unique(candidates.begin(), candidates.end(),
                                 [](const Run& a, const Run& b) {
                                   return a.program == b.program && a.filter == b.filter;
                                 }),
                     candidates.end());
    const auto noticed = std::find_if(candidates.begin(), candidates.end(),
                                      [&](const Run& run) { return notices(run, barrier); });
    if (noticed != candidates.end()) continue;
    ++unnoticed;
    std::printf("%s: %s: %s\n", barrier.c_str(), entry.second.c_str(),
                candidates.empty() ? "no test passes this barrier"
                                   : "left out, no test fails: needless, or a test is missing");
  }
  std::printf("%d barriers, each left out once: %d went unnoticed\n", count, unnoticed);
  return unnoticed == 0 && count > 0 ? 0 : 1;
}

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t bytes = fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), bytes);
  }
  pclose(pipe);
  return output;
}

int check_lines(const std::string& gcov, const std::string& objects, const std::string& folder,
                double least) {
  std::string files;
  for (const auto& entry : fs::recursive_directory_iterator(objects)) {
    const std::string name = entry.path().string();
    if (name.ends_with(".cu.gcda")) files += " '" + name + "'";
  }
  if (files.empty()) throw std::runtime_error(objects + ": no test has run");
  const std::string report = output_of("'" + gcov + "' -n" + files + " 2>/dev/null");
  // Blocks of: File 'PATH' / Lines executed:12.34% of 56
  double covered = 0, all = 0;
  std::map<std::string, std::pair<double, int>> table;
  std::size_t at = 0;
  while ((at = report.find("File '", at)) != std::string::npos) {
    at += 6;
    const std::string path = report.substr(at, report.find('\'', at) - at);
    double percent = 0;
    int lines = 0;
    const std::size_t line = report.find('\n', at) + 1;
    if (std::sscanf(report.c_str() + line, "Lines executed:%lf%% of %d", &percent, &lines) != 2) {
      continue;
    }
    const fs::path file = fs::path(path).lexically_normal();
    const std::string inside = "/" + fs::path(folder).filename().string() + "/";
    if (file.extension() != ".cu" || file.string().find(inside) == std::string::npos) continue;
    table[file.filename().string()] = {percent, lines};
  }
  for (const auto& [file, entry] : table) {
    std::printf("%-40s %6.1f%% of %4d lines\n", file.c_str(), entry.first, entry.second);
    covered += entry.first / 100 * entry.second;
    all += entry.second;
  }
  const double percent = all == 0 ? 0 : 100 * covered / all;
  std::printf("%.1f%% of %.0f lines of %zu files were executed (at least %.0f%% wanted)\n", percent,
              all, table.size(), least);
  return percent >= least ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "kernels" && arguments.size() == 3) return check_kernels(arguments[1], arguments[2]);
  if (what == "barriers" && arguments.size() == 3) {
    return check_barriers(arguments[1], arguments[2]);
  }
  if (what == "lines" && arguments.size() == 5) {
    return check_lines(arguments[1], arguments[2], arguments[3], std::stod(arguments[4]));
  }
  std::fputs(
      "usage: audit_emulated_cuda kernels|barriers RECORD FOLDER\n"
      "       audit_emulated_cuda lines GCOV OBJECTS FOLDER PERCENT\n",
      stderr);
  return 2;
}

}  // namespace
}  // namespace hanok::emulator::audit

int main(int argc, char** argv) {
  try {
    return hanok::emulator::audit::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "audit_emulated_cuda: %s\n", error.what());
    return 1;
  }
}
