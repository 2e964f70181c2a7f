#include "hanok/weights/element_values.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {

nn::StateDict with_f32_values(const nn::StateDict& tensors) {
  nn::StateDict result;
  for (const auto& [name, tensor] : tensors) {
    const DType dtype = tensor.dtype();
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
