// Records every kernel that ops run: when, how long, for which layer, how much arithmetic and
// memory traffic, and what the allocator held afterwards.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok {

/// One call of a primitive.
struct KernelCall {
  enum class Pass { Forward, Backward, Update };

  const char* kernel = "";      // "conv2d_forward"
  const void* layer = nullptr;  // see layer_scope.h; null: outside all layers
  Pass pass = Pass::Forward;
  double start = 0, seconds = 0;  // start: since the profiler was made
  /// What the mathematics asks for: a multiply-add counts two, every other operation on an element
  /// one. Winograd does with fewer, so it may pass the peak.
  double flop = 0;
  double bytes = 0;     // operands read once and results written once
  std::string shape;    // of the main operands
  std::string variant;  // algorithm of a convolution; kind of an elementwise op
  std::map<std::string, std::size_t> memory;  // allocator's bytes in use by tag, afterwards
};

const char* name_of(KernelCall::Pass pass);

/// While alive, stands between the ops and a device's backend. Results do not change. Not to be
/// made or destroyed while ops run; of several profilers the last one made goes first.
class Profiler {
 public:
  explicit Profiler(Device device = Device::cpu());
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  /// Calls are kept only while recording, which is on at the start.
  void set_recording(bool on);
  /// Seconds since the profiler was made: the clock of KernelCall::start.
  double now() const;
  /// In the order in which they ended. Not while ops run.
  const std::vector<KernelCall>& calls() const;

 private:
  class Recorder;
  Device device_;
  Recorder* recorder_;  // owned by the runtime while it is installed
};

}  // namespace hanok
#pragma GCC visibility pop
