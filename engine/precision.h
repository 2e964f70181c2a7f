// In which precision convolutions and matrix products compute. Everything else follows the type of
// its operands; sums, statistics of norms, losses, parameters and their gradients are f32 always.
#pragma once

#include <string>

#include "hanok/kernels/base/device.h"
#include "hanok/kernels/base/dtype.h"

namespace hanok {

enum class Precision {
  F32,   // operands as they are
  TF32,  // the same memory; tensor cores round factors to 10 bits of mantissa (sm_80)
  BF16,  // operands and results in bf16: f32's range, 8 bits (sm_80)
  F16,   // in f16: 11 bits, from 6e-8 to 65504: gradients want loss scaling (nn/grad_scaler.h)
};

/// "f32", "tf32", "bf16", "f16".
const char* name_of(Precision precision);
/// The precision of that name. Throws ValueError naming the four.
Precision precision_of(const std::string& name);

/// Throws DeviceError, naming what was found and what is needed, unless `device` computes in this
/// precision: the CPU has F32 alone, a GPU before sm_80 F32 and F16.
void check_precision(Precision precision, Device device);

/// While alive, convolutions and matrix products of this thread compute in `precision`; TF32 is
/// allowed or not for the whole process. Convolutions and products on the CPU throw DeviceError
/// within one of 16 bits.
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

/// The innermost scope's of this thread; F32 without one.
Precision precision();
/// The element type of operands in it: F32, BF16 or F16.
DType compute_dtype(Precision precision);

}  // namespace hanok
