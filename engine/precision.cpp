#include "hanok/engine/precision.h"

#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok {
namespace {

thread_local Precision precision_here = Precision::F32;

/// Allows or forbids TF32; returns the previous setting. No effect without CUDA.
bool exchange_tf32(bool allowed) {
  CudaRuntime* cuda = cuda_runtime();
  if (cuda == nullptr) return false;
  const bool before = cuda->tf32_allowed();
  cuda->allow_tf32(allowed);
  return before;
}

}  // namespace

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::F32:
      return "f32";
    case Precision::TF32:
      return "tf32";
    case Precision::BF16:
      return "bf16";
    case Precision::F16:
      return "f16";
    case Precision::Int16:
      return "int16";
  }
  return "?";
}

Precision precision_of(const std::string& name) {
  for (const Precision p :
       {Precision::F32, Precision::TF32, Precision::BF16, Precision::F16, Precision::Int16}) {
    if (name == name_of(p)) return p;
  }
  throw ValueError("precision \"" + name + "\": expected one of f32, tf32, bf16, f16, int16");
}

void check_precision(Precision precision, Device device) {
  if (precision == Precision::F32) return;
  const std::string wanted = std::string("precision ") + name_of(precision) + ": ";
  if (device.is_cpu()) {
    if (precision == Precision::Int16) return;
    throw DeviceError(wanted +
                      "the CPU computes in f32 and int16 alone; needed: a CUDA device, or "
                      "one of these");
  }
  if (precision == Precision::Int16) {
    throw DeviceError(wanted +
                      "GPUs compute in floating point alone; needed: the CPU, or another "
                      "precision");
  }
  if (precision == Precision::F16) return;
  for (const CudaDeviceInfo& info : cuda_runtime()->devices()) {
    if (info.index != device.index || info.major >= 8) continue;
    throw DeviceError(wanted + device.to_string() + " is of sm_" + std::to_string(info.major) +
                      std::to_string(info.minor) +
                      "; needed: sm_80 (Ampere) or newer, or one of f32 and f16");
  }
}

PrecisionScope::PrecisionScope(Precision precision)
    : saved_(std::exchange(precision_here, precision)),
      saved_tf32_(exchange_tf32(precision == Precision::TF32)) {}

PrecisionScope::~PrecisionScope() {
  precision_here = saved_;
  exchange_tf32(saved_tf32_);
}

Precision precision() { return precision_here; }

DType compute_dtype(Precision precision) {
  switch (precision) {
    case Precision::BF16:
      return DType::BF16;
    case Precision::F16:
      return DType::F16;
    default:
      return DType::F32;
  }
}

}  // namespace hanok
