// What tests may tell the stand-in and ask of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hanok::standin {

/// The machine that the stand-in plays. Programs read it from the environment variable
/// HANOK_STANDIN, e.g. "seed=3,memory=64M,arch=75": the names below, with k, M, G for sizes.
struct Settings {
  std::uint64_t seed = 0;                     // seed=: of the order in which streams run
  int devices = 1;                            // devices=
  int driver = 13000;                         // driver=: CUDA's version number; 0: no driver
  int arch = 90;                              // arch=: compute capability, 10 * major + minor
  std::size_t memory = std::size_t{4} << 30;  // memory=: of each device, in bytes
  std::int64_t fail_launch = 0;  // fail_launch=: number of the launch that fails; 0: none
  bool cublas = true;            // cublas=0: as if the library were not there
  bool cudnn = true;             // cudnn=0
  bool graphs = true;            // graphs=0: nothing can be captured
};

/// Throws std::invalid_argument naming what it cannot read.
Settings parse_settings(const std::string& text);
const Settings& settings();
/// Another machine from now on. Streams and memory stay; the count of launches starts anew and
/// errors are forgotten.
void set_settings(const Settings& settings);

/// Since the program started or reset_counters().
struct Counters {
  std::int64_t launches = 0;          // kernels put on a stream or recorded
  std::int64_t executed = 0;          // kernels, copies and fills that ran
  std::int64_t copies = 0;            // put on a stream
  std::int64_t pageable_copies = 0;   // of these, from or to ordinary host memory
  std::int64_t synchronizations = 0;  // calls that waited for a stream, an event or a device
  std::int64_t drains = 0;            // of these, for the last of what a stream had
  std::int64_t frees = 0;             // of device or pinned memory: these wait for everything
  std::int64_t allocations = 0;       // of device memory
  std::int64_t graph_launches = 0;
};
Counters counters();
void reset_counters();

/// Device memory in use.
std::size_t bytes_in_use();
/// Empty, or which allocation was written beyond its end.
std::string damaged_guards();

}  // namespace hanok::standin
