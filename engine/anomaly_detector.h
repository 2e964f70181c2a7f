// Finds the kernel that made the first value that is infinite or not a number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/engine/profiler.h"
#include "hanok/kernels/base/device.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/shape.h"

#pragma GCC visibility push(default)
namespace hanok {

/// What a kernel made of what.
struct Anomaly {
  /// A tensor with values that are not finite.
  struct Operand {
    const void* data = nullptr;  // Tensor::view().data, where it is one
    Shape shape{};
    std::int64_t count = 0;  // of infinities and NaNs
    double first = 0;        // the first of them in memory
  };
  const char* kernel = "";      // "conv2d_forward"
  std::string variant{};        // algorithm of a convolution; kind of an elementwise op
  std::string shape{};          // of the main operands
  const void* layer = nullptr;  // see layer_scope.h; null: outside all layers
  KernelCall::Pass pass = KernelCall::Pass::Forward;
  Operand made{};  // the largest result that is not finite
  /// Of the operands those that were not finite before: values of the caller, as the kernels' own
  /// were checked. Empty: the kernel made it of finite values. What a kernel overwrites is not
  /// seen.
  std::vector<Operand> given{};
};

/// "batch_norm_apply [8,4,2,2]: 3 of 128 values of its result [8,4,2,2] are not finite, the first
/// is inf"
std::string describe(const Anomaly& anomaly);

/// Thrown by an op.
class AnomalyError : public Error {
 public:
  explicit AnomalyError(Anomaly anomaly);
  const Anomaly& anomaly() const { return anomaly_; }

 private:
  Anomaly anomaly_;
};

/// While alive and on, every kernel's results are read once more, and a value that is not finite is
/// an AnomalyError, thrown by the op or by backward(). Results do not change. As for a profiler: do
/// not construct or destroy it while ops run, and destroy several in the reverse order of their
/// construction.
class AnomalyDetector {
 public:
  /// Detects nothing yet. Throws DeviceError for a GPU, whose memory the host cannot read.
  explicit AnomalyDetector(Device device = Device::cpu());
  ~AnomalyDetector();
  AnomalyDetector(const AnomalyDetector&) = delete;
  AnomalyDetector& operator=(const AnomalyDetector&) = delete;

  /// While alive, what this thread computes is checked.
  class Scope {
   public:
    /// `detector` may be null: then nothing is checked.
    explicit Scope(AnomalyDetector* detector);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    bool saved_;
  };

 private:
  class Checker;
  Device device_;
  Checker* checker_;  // owned by the runtime while it is installed
};

}  // namespace hanok
#pragma GCC visibility pop
