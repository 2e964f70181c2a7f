// The precision of convolutions and matrix products. Everything else follows the type of its
// operands; sums, statistics of norms, losses, parameters and their gradients are always f32.
#pragma once

#include <string>

#include "hanok/kernels/base/device.h"
#include "hanok/kernels/base/dtype.h"

#pragma GCC visibility push(default)
namespace hanok {

enum class Precision {
  F32,    // operands as they are
  TF32,   // the same memory; tensor cores round factors to 10 bits of mantissa (sm_80)
  BF16,   // operands and results in bf16: f32's range, 8 bits of significand (sm_80)
  F16,    // in f16: 11 bits, 6e-8 to 65504; gradients need loss scaling (nn/grad_scaler.h)
  Int16,  // the same memory; on the CPU some convolutions multiply 16-bit integers
          // (kernels/cpu/isa/int16.cpp)
};

/// "f32", "tf32", "bf16", "f16", "int16".
const char* name_of(Precision precision);
/// The precision of that name. Throws ValueError listing them all.
Precision precision_of(const std::string& name);

/// Throws DeviceError, saying what was found and what is needed, if `device` does not support this
/// precision: the CPU supports F32 and Int16, a GPU before
/// sm_80 F32 and F16, a newer one all but Int16.
void check_precision(Precision precision, Device device);

/// While alive, convolutions and matrix products on this thread compute in `precision`; whether
/// TF32 is allowed applies to the whole process. In a 16-bit precision, convolutions and products
/// on the CPU throw DeviceError.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision saved_;
  bool saved_tf32_;
};

/// The precision of this thread's innermost scope; F32 without one.
Precision precision();
/// The operands' element type: F32, BF16 or F16.
DType compute_dtype(Precision precision);

}  // namespace hanok
#pragma GCC visibility pop
