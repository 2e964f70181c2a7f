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
  /// FLOP of the op's formula: a multiply-add counts two, every other operation on an element one.
  /// Winograd needs fewer, so a convolution may exceed the peak.
  double flop = 0;
  double bytes = 0;     // operands read once and results written once
  std::string shape;    // of the main operands
  std::string variant;  // algorithm of a convolution; kind of an elementwise op
  std::map<std::string, std::size_t> memory;  // allocator's bytes in use by tag, afterwards
};

const char* name_of(KernelCall::Pass pass);

/// While alive, replaces a device's backend by one that records each call and forwards it. Results
/// do not change. Do not construct or destroy it while ops run; destroy several profilers in the
/// reverse order of their construction.
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
