#include <cmath>
#include <cstdint>
#include <vector>

#include "hanok/weights/element_values.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {

namespace {

/// The models' counters are i64 scalars; some files hold them as floats or with one dimension.
Tensor as_counter(const Tensor& tensor) {
  std::int64_t count = 0;
  for_each_element(tensor, [&](auto value) {
    const double number = std::round(static_cast<double>(value));
    count = number >= 0 && number < 0x1p53 ? static_cast<std::int64_t>(number) : 0;
  });
  return Tensor::from_vector(std::vector<std::int64_t>{count}, Shape{});
}

}  // namespace

nn::StateDict with_f32_values(const nn::StateDict& tensors) {
  nn::StateDict result;
  for (const auto& [name, tensor] : tensors) {
    const DType dtype = tensor.dtype();
    const bool is_counter = name.ends_with("num_batches_tracked") && tensor.numel() == 1;
    if (is_counter && (dtype != DType::I64 || tensor.rank() != 0)) {
      result.insert(name, as_counter(tensor));
      continue;
    }
    if (dtype != DType::F16 && dtype != DType::BF16 && dtype != DType::F64) {
      result.insert(name, tensor);
      continue;
    }
    Tensor converted = Tensor::empty(tensor.shape());
    float* out = converted.mutable_data<float>();
    for_each_element(tensor, [&](auto value) { *out++ = static_cast<float>(value); });
    result.insert(name, converted);
  }
  return result;
}

}  // namespace hanok::weights
