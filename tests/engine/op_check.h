// Checks an op against a plain double-precision reference, forward and backward.
//
// The reference works on logical row-major arrays, so it knows nothing of memory order. With
// L = sum c_i y_i for fixed random c, the op's gradients (y.backward(c)) are compared with central
// differences of L computed by the reference in double. Their error is O(h^2) + O(1e-16 / h), about
// 1e-9 at h = 1e-4 for values near 1; what remains is the op's own f32 rounding. Inputs are
// floats held in double, so both sides start from the same numbers.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <initializer_list>
#include <string>
#include <vector>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/base/error.h"
#include "tests/support/device.h"

namespace hanok::testing {

/// Tensors on this program's device, see test_device().
Tensor new_empty(const Shape& shape, DType dtype = DType::F32);
Tensor new_zeros(const Shape& shape, DType dtype = DType::F32);
Tensor new_ones(const Shape& shape, DType dtype = DType::F32);
Tensor new_full(const Shape& shape, double value, DType dtype = DType::F32);
Tensor new_from_vector(const std::vector<float>& values, const Shape& shape);
Tensor new_from_vector(const std::vector<std::int64_t>& values, const Shape& shape);
/// Writes one element, `at` in memory order, as a caller would: the version goes up.
void overwrite(Tensor& tensor, std::int64_t at, float value);
float element(const Tensor& tensor, std::int64_t at);

/// A logical row-major array in double precision.
struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(const Shape& sizes, double fill = 0);
  double& operator()(std::initializer_list<std::int64_t> index);
  double operator()(std::initializer_list<std::int64_t> index) const;
  std::int64_t size(int dim) const { return shape[dim]; }
};

/// Uniform floats in [low, high) from the Philox test stream; `seed` picks the draw.
Array random_array(const Shape& shape, std::uint32_t seed, double low = -1, double high = 1);
Tensor to_tensor(const Array& array);
Array to_array(const Tensor& tensor);

/// The index of each element of `shape` in logical row-major order.
void for_each_index(const Shape& shape,
                    const std::function<void(const std::vector<std::int64_t>&)>& visit);

/// |a - b| / |b| in the L2 norm; |a - b| where b is zero.
double relative_error(const std::vector<float>& a, const std::vector<double>& b);
void expect_close(const Tensor& actual, const Array& expected, double tolerance,
                  const std::string& what);
/// Same shape and same bits.
void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what);

using Op = std::function<Tensor(const std::vector<Tensor>&)>;
using Reference = std::function<Array(const std::vector<Array>&)>;

/// L2-relative bounds. f32 has an epsilon of 6e-8; sums of some hundred terms stay below 2e-6.
struct Tolerance {
  double forward = 2e-6;
  double gradient = 5e-6;
};

/// Compares forward and all gradients with the reference; then asks for each input's gradient
/// alone, which must give the same bits and no other gradient; then checks that nothing is recorded
/// when no input needs one.
void check_op(const std::string& what, const Op& op, const Reference& reference,
              const std::vector<Array>& inputs, Tolerance tolerance = {});

/// Runs `call`, expects an error of type E, and returns its message ("" if none was thrown).
template <typename E>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another type of error: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace hanok::testing
