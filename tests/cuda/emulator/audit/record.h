// The records of emulated test programs (HANOK_EMULATOR_COUNTERS), and the kernels and barriers in
// the sources.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace hanok::emulator::audit {

/// A test's process.
struct Process {
  std::string program, filter;
  double seconds = 0;
  std::map<std::string, std::uint64_t> kernels;  // "pool.cu:max_pool_kernel"
  std::map<std::string, std::string> barriers;   // "pool.cu:31" -> "__syncthreads"
};

/// The records of the current programs; those of older builds are ignored and removed from the
/// file. Throws std::runtime_error if there is no such file.
std::vector<Process> read_record(const std::string& path);

/// "pool.cu:max_pool_kernel" of each __global__ function in the folder's .cu and .h files.
std::set<std::string> kernels_in(const std::string& folder);
/// "pool.cu:31" of each __syncthreads or __syncwarp, with the line's text.
std::map<std::string, std::string> barriers_in(const std::string& folder);

}  // namespace hanok::emulator::audit
