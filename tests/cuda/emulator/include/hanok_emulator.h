// What tests and the runtime's stand-in say to the emulator: how launches reach it, which memory is
// the device's, and what it found.
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
  const void* kernel = nullptr;  // its address: names it
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  std::shared_ptr<const void> call;  // the kernel's arguments
  std::size_t call_bytes = 0;
  void (*run)(const void* call) = nullptr;  // one thread
};

/// Hands a launch to the sink, or runs it now if there is none. Throws Fault if the launch is
/// one that CUDA would refuse (block too large, too much shared memory, an empty grid, ...).
void submit(Launch launch, cudaStream_t stream);
/// Whoever keeps streams takes launches here and calls execute() when their turn comes. An empty
/// function takes it away again.
using Sink = std::function<void(Launch, cudaStream_t)>;
void set_sink(Sink sink);
/// Runs every thread of the launch; one launch at a time in the whole process. Throws Fault if
/// the kernel did what must not be: the launch is over then.
void execute(const Launch& launch);

void* dynamic_shared_memory();

/// Order of blocks and threads; every launch draws on. HANOK_EMULATOR_SEED sets the first.
void set_seed(std::uint64_t seed);

// ---- device memory ----

/// Memory that kernels may touch. Once a range is registered the race detector reports accesses
/// to anything that is not in a registered range, is not shared memory and is no thread's own.
void register_memory(const void* begin, std::size_t bytes, const std::string& name);
/// Accesses from now on are reported as uses after free, until the range is registered again.
void unregister_memory(const void* begin);

// ---- findings ----

struct Report {
  enum class Kind { Race, OutOfBounds, Uninitialised, DivergentBarrier, MissingLanes, BadLaunch };
  Kind kind;
  std::string kernel;
  std::string text;  // the whole story, with source lines, block and threads
};

/// Thrown for the first finding of a launch, unless a Collect is alive.
class Fault : public std::runtime_error {
 public:
  explicit Fault(const Report& report) : std::runtime_error(report.text) {}
};

/// While one is alive, findings are kept instead of thrown.
class Collect {
 public:
  Collect();
  ~Collect();
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;
  /// Findings so far; equal ones (same lines) once.
  std::vector<Report> reports() const;
};

/// True in a program whose kernels were compiled for race detection.
bool detects_races();

// ---- counters ----

/// "elementwise.cu:unary_kernel" and how many launches of it ran in this process. At exit they are
/// appended, with the barriers passed, to the file that HANOK_EMULATOR_COUNTERS names, if any:
///   process <the program's file time> <seconds> <--gtest_filter> <program>
///   kernel <file>:<name> <launches>
///   barrier <file>:<line> <function> <times>
struct KernelCount {
  std::string name;
  std::uint64_t launches;
};
std::vector<KernelCount> kernel_counts();

}  // namespace hanok::emulator
