#include "hanok/engine/counter.h"

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok {

void count_up(Tensor& counter, const Tensor& skip) {
  if (counter.dtype() != DType::I64) {
    throw DTypeError("count_up: expected i64, got " + counter.to_string());
  }
  if (counter.numel() != 1) {
    throw ShapeError("count_up: expected one element, got " + counter.to_string());
  }
  const ConstView skipped = skip.defined() ? skip.view() : ConstView{};
  if (skip.defined() &&
      (skip.dtype() != DType::F32 || skip.numel() != 1 || skip.device() != counter.device())) {
    throw DTypeError("count_up: skip must be one f32 beside the counter, got " + skip.to_string());
  }
  if (counter.device().is_cpu()) {
    if (!skipped.defined() || *skipped.f32() == 0.0F) ++*counter.mutable_data<std::int64_t>();
  } else {
    cuda_runtime()->count_up(counter.device().index, counter.mutable_view().as<std::int64_t>(),
                             skipped.f32());
  }
}

}  // namespace hanok
