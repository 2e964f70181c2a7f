// Work that replaces a library's kernels: the CPU's kernels on the same memory, enqueued on the
// stream like everything else. f16 and bf16 are computed in f32 and rounded once, as on tensor
// cores with f32 accumulators.
#pragma once

#include <new>
#include <vector>

#include "hanok/kernels/base/half.h"
#include "hanok/kernels/cpu/cpu_backend.h"
#include "hanok/kernels/exec_context.h"
#include "tests/cuda/standin/machine.h"

namespace hanok::standin {

/// The stand-in's own threads and workspace; the caller's belong to the device.
inline ExecContext& host_context() {
  static ThreadPool pool(1);
  static Workspace workspace(
      [](std::size_t bytes) { return ::operator new (bytes, std::align_val_t{64}); },
      [](void* data, std::size_t) { ::operator delete (data, std::align_val_t{64}); });
  static ExecContext context{pool, workspace, nullptr};
  return context;
}

/// Enqueues work(ExecContext&, cpu::Isa).
template <typename Work>
cudaError_t enqueue_on_host(cudaStream_t stream, const char* name, Work work) {
  return enqueue(stream, name, [work] {
    const FlushDenormals flush;
    work(host_context(), cpu::choose_isa());
  });
}

/// The elements of a host array as f32: the array itself, or a converted copy.
class Widened {
 public:
  Widened(const void* data, DType dtype, std::int64_t count)
      : data_(data), dtype_(dtype), values_(dtype == DType::F32 ? 0U : std::size_t(count)) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = dtype == DType::F16 ? to_float(static_cast<const F16*>(data)[i])
                                       : to_float(static_cast<const BF16*>(data)[i]);
    }
  }
  View view(const Shape& shape) {
    // NOLINTNEXTLINE(*-const-cast): results are arrays that may be written
    return {dtype_ == DType::F32 ? const_cast<void*>(data_) : values_.data(), DType::F32, shape};
  }
  /// Rounds the copy back to the array.
  void store() const {
    void* to = const_cast<void*>(data_);  // NOLINT(*-const-cast): as above
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (dtype_ == DType::F16) {
        static_cast<F16*>(to)[i] = to_f16(values_[i]);
      } else {
        static_cast<BF16*>(to)[i] = to_bf16(values_[i]);
      }
    }
  }

 private:
  const void* data_;
  DType dtype_;
  std::vector<float> values_;
};

}  // namespace hanok::standin
