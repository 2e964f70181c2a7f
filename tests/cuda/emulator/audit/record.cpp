#include "tests/cuda/emulator/audit/record.h"

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace hanok::emulator::audit {
namespace fs = std::filesystem;
namespace {

std::string read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> sources(const std::string& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".cu" || extension == ".h") found.push_back(entry.path());
  }
  return found;
}

/// The text with comments blanked and line numbers kept.
std::string without_comments(std::string text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '/' || (text[i + 1] != '/' && text[i + 1] != '*')) continue;
    const bool line = text[i + 1] == '/';
    std::size_t end = text.find(line ? "\n" : "*/", i);
    if (end == std::string::npos) end = text.size();
    for (; i < end; ++i) {
      if (text[i] != '\n') text[i] = ' ';
    }
  }
  return text;
}

}  // namespace

std::vector<Process> read_record(const std::string& path) {
  if (!fs::exists(path)) throw std::runtime_error(path + " is missing: run an emulated test first");
  std::map<std::string, std::string> time_now;  // of programs
  std::vector<Process> processes;
  std::string kept;
  bool current = false;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string kind, first;
    words >> kind >> first;
    if (kind == "process") {
      Process process;
      words >> process.seconds >> process.filter;
      words.get();
      std::getline(words, process.program);
      auto [now, fresh] = time_now.emplace(process.program, "");
      if (fresh) {
        std::error_code error;
        const auto time = fs::last_write_time(process.program, error);
        if (!error) now->second = std::to_string(time.time_since_epoch().count());
      }
      current = now->second == first;
      if (current) processes.push_back(process);
    }
    if (!current) continue;
    kept += line + "\n";
    if (kind == "kernel") words >> processes.back().kernels[first];
    if (kind == "barrier") words >> processes.back().barriers[first];
  }
  std::ofstream(path, std::ios::trunc) << kept;
  return processes;
}

std::set<std::string> kernels_in(const std::string& folder) {
  static const std::regex pattern(
      R"(__global__\s+(?:static\s+)?void\s+)"
      R"((?:__launch_bounds__\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*)?(\w+)\s*\()");
  static const std::regex any(R"(__global__)");
  std::set<std::string> kernels;
  for (const fs::path& file : sources(folder)) {
    const std::string text = without_comments(read_all(file));
    const auto count = std::distance(std::sregex_iterator(text.begin(), text.end(), any), {});
    std::ptrdiff_t understood = 0;
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
      kernels.insert(file.filename().string() + ":" + (*it)[1].str());
      ++understood;
    }
    if (understood != count) {
      throw std::runtime_error(file.string() + ": " + std::to_string(count - understood) +
                               " declarations with __global__ could not be parsed");
    }
  }
  return kernels;
}

std::map<std::string, std::string> barriers_in(const std::string& folder) {
  static const std::regex pattern(R"(__sync(threads|threads_\w+|warp)\s*\()");
  std::map<std::string, std::string> barriers;
  for (const fs::path& file : sources(folder)) {
    std::istringstream lines(without_comments(read_all(file)));
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (!std::regex_search(line, pattern)) continue;
      const std::size_t begin = line.find_first_not_of(' ');
      barriers[file.filename().string() + ":" + std::to_string(number)] = line.substr(begin);
    }
  }
  return barriers;
}

}  // namespace hanok::emulator::audit
