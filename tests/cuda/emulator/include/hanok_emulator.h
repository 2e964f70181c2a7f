// The emulator's interface for tests and the stand-in runtime: launches, device memory and
// findings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hanok::emulator {

/// A kernel with its arguments, ready to run.
struct Launch {
  const void* kernel = nullptr;  // its address, which identifies it
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  std::shared_ptr<const void> call;  // the kernel's arguments
  std::size_t call_bytes = 0;
  void (*run)(const void* call) = nullptr;  // runs one thread
};

/// Passes a launch to the sink, or runs it immediately if there is none. Throws Fault for a launch
/// that CUDA would reject (block too large, too much shared memory, an empty grid, ...).
void submit(Launch launch, cudaStream_t stream);
/// Sets the sink: the owner of the streams, which calls execute() in stream order. An empty
/// function removes it.
using Sink = std::function<void(Launch, cudaStream_t)>;
void set_sink(Sink sink);
/// Runs every thread of the launch; one launch at a time per process. Throws Fault on an invalid
/// operation in the kernel, which aborts the launch.
void execute(const Launch& launch);

void* dynamic_shared_memory();

/// Seeds the order of blocks and threads, which changes with every launch. HANOK_EMULATOR_SEED sets
/// the first seed.
void set_seed(std::uint64_t seed);

// ---- device memory ----

/// Memory that kernels may access. As soon as a range is registered, the race detector reports
/// accesses to anything but registered ranges, shared memory and the threads' own memory.
void register_memory(const void* begin, std::size_t bytes, const std::string& name);
/// Later accesses are reported as uses after free, until the range is registered again.
void unregister_memory(const void* begin);

// ---- findings ----

struct Report {
  enum class Kind { Race, OutOfBounds, Uninitialised, DivergentBarrier, MissingLanes, BadLaunch };
  Kind kind;
  std::string kernel;
  std::string text;  // full text with source lines, block and threads
};

/// Thrown for the first finding of a launch, unless a Collect is alive.
class Fault : public std::runtime_error {
 public:
  explicit Fault(const Report& report) : std::runtime_error(report.text) {}
};

/// While alive, findings are collected instead of thrown.
class Collect {
 public:
  Collect();
  ~Collect();
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;
  /// Findings so far, without duplicates (same lines).
  std::vector<Report> reports() const;
};

/// True in a program whose kernels were compiled for race detection.
bool detects_races();

// ---- counters ----

/// "elementwise.cu:unary_kernel" and its number of launches in this process. At exit they are
/// appended, with the barriers, to the file named by HANOK_EMULATOR_COUNTERS, if set:
///   process <the program's file time> <seconds> <--gtest_filter> <program>
///   kernel <file>:<name> <launches>
///   barrier <file>:<line> <function> <times>
struct KernelCount {
  std::string name;
  std::uint64_t launches;
};
std::vector<KernelCount> kernel_counts();

}  // namespace hanok::emulator
