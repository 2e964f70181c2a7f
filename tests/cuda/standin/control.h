// The stand-in's interface for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hanok::standin {

/// The simulated machine. Programs read it from the environment variable HANOK_STANDIN, e.g.
/// "seed=3,memory=64M,arch=75": the names below, with k, M, G for sizes.
struct Settings {
  std::uint64_t seed = 0;                     // seed=: of the order in which streams run
  int devices = 1;                            // devices=
  int driver = 13000;                         // driver=: CUDA's version number; 0: no driver
  int arch = 90;                              // arch=: compute capability, 10 * major + minor
  std::size_t memory = std::size_t{4} << 30;  // memory=: of each device, in bytes
  std::int64_t fail_launch = 0;  // fail_launch=: number of the launch that fails; 0: none
  bool cublas = true;            // cublas=0: the library is missing
  bool cudnn = true;             // cudnn=0
  bool graphs = true;            // graphs=0: capturing fails
};

/// Throws std::invalid_argument naming the invalid part.
Settings parse_settings(const std::string& text);
const Settings& settings();
/// Simulates another machine from now on. Streams and memory are kept; the count of launches
/// restarts and errors are cleared.
void set_settings(const Settings& settings);

/// Counts since the program started or reset_counters().
struct Counters {
  std::int64_t launches = 0;          // kernels enqueued or recorded
  std::int64_t executed = 0;          // kernels, copies and fills executed
  std::int64_t copies = 0;            // enqueued
  std::int64_t pageable_copies = 0;   // of these, those from or to pageable host memory
  std::int64_t synchronizations = 0;  // calls that waited for a stream, an event or a device
  std::int64_t drains = 0;            // of these, those that waited for all of a stream's work
  std::int64_t frees = 0;             // of device or pinned memory; these synchronise
  std::int64_t allocations = 0;       // of device memory
  std::int64_t graph_launches = 0;
};
Counters counters();
void reset_counters();

/// Device memory in use.
std::size_t bytes_in_use();
/// Empty, or the allocation that was written beyond its end.
std::string damaged_guards();

}  // namespace hanok::standin
