#include "engine/counter.h"

#include "kernels/base/error.h"
#include "kernels/cuda_runtime.h"

namespace hanok {

void count_up(Tensor& counter) {
  if (counter.dtype() != DType::I64) {
    throw DTypeError("count_up: expected i64, got " + counter.to_string());
  }
  if (counter.numel() != 1) {
    throw ShapeError("count_up: expected one element, got " + counter.to_string());
  }
  if (counter.device().is_cpu()) {
    ++*counter.mutable_data<std::int64_t>();
  } else {
    cuda_runtime()->count_up(counter.device().index, counter.mutable_view().as<std::int64_t>());
  }
}

}  // namespace hanok
