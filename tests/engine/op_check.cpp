#include "tests/engine/op_check.h"

#include <bit>
#include <cmath>
#include <stdexcept>

#include "hanok/kernels/base/philox.h"

namespace hanok::testing {

namespace {

std::size_t offset_of(const Shape& shape, std::initializer_list<std::int64_t> index) {
  std::int64_t offset = 0;
  int dim = 0;
  bool inside = static_cast<int>(index.size()) == shape.rank();
  for (const std::int64_t i : index) {
    inside = inside && i >= 0 && i < shape[dim];
    offset = offset * shape[dim++] + i;
  }
  if (!inside) throw std::out_of_range("reference: an index outside " + shape.to_string());
  return static_cast<std::size_t>(offset);
}

double loss(const Array& y, const Array& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * weights.values[i];
  return sum;
}

Array numeric_gradient(const Reference& reference, std::vector<Array> inputs, std::size_t which,
                       const Array& weights) {
  constexpr double kStep = 1e-4;
  Array gradient(inputs[which].shape);
  for (std::size_t i = 0; i < gradient.values.size(); ++i) {
    double& value = inputs[which].values[i];
    const double saved = value;
    value = saved + kStep;
    const double above = loss(reference(inputs), weights);
    value = saved - kStep;
    const double below = loss(reference(inputs), weights);
    value = saved;
    gradient.values[i] = (above - below) / (2 * kStep);
  }
  return gradient;
}

std::vector<Tensor> leaves(const std::vector<Array>& inputs, const std::vector<bool>& wanted) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    tensors.push_back(to_tensor(inputs[i]));
    tensors.back().set_requires_grad(wanted[i]);
  }
  return tensors;
}

}  // namespace

Tensor new_empty(const Shape& shape, DType dtype) {
  return Tensor::empty(shape, {dtype, test_device()});
}
Tensor new_zeros(const Shape& shape, DType dtype) {
  return Tensor::zeros(shape, {dtype, test_device()});
}
Tensor new_ones(const Shape& shape, DType dtype) {
  return Tensor::ones(shape, {dtype, test_device()});
}
Tensor new_full(const Shape& shape, double value, DType dtype) {
  return Tensor::full(shape, value, {dtype, test_device()});
}
Tensor new_from_vector(const std::vector<float>& values, const Shape& shape) {
  return Tensor::from_vector(values, shape).to(test_device());
}
Tensor new_from_vector(const std::vector<std::int64_t>& values, const Shape& shape) {
  return Tensor::from_vector(values, shape).to(test_device());
}

void overwrite(Tensor& tensor, std::int64_t at, float value) {
  Tensor copy = tensor.clone().to(Device::cpu());
  copy.mutable_data<float>()[at] = value;
  tensor.copy_from(copy.to(tensor.device()));
}
float element(const Tensor& tensor, std::int64_t at) {
  return tensor.to(Device::cpu()).data<float>()[at];
}

Array::Array(const Shape& sizes, double fill)
    : shape(sizes), values(static_cast<std::size_t>(sizes.numel()), fill) {}

double& Array::operator()(std::initializer_list<std::int64_t> index) {
  return values[offset_of(shape, index)];
}
double Array::operator()(std::initializer_list<std::int64_t> index) const {
  return values[offset_of(shape, index)];
}

Array random_array(const Shape& shape, std::uint32_t seed, double low, double high) {
  Array array(shape);
  const PhiloxKey key = philox_key(20240607, RandomStream::Test);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const float unit = to_unit_float(philox(key, {0, 0, seed, static_cast<std::uint32_t>(i)})[0]);
    array.values[i] = static_cast<float>(low + (high - low) * static_cast<double>(unit));
  }
  return array;
}

Tensor to_tensor(const Array& array) {
  return new_from_vector(std::vector<float>(array.values.begin(), array.values.end()), array.shape);
}

Array to_array(const Tensor& tensor) {
  Array array(tensor.shape());
  const std::vector<float> values = tensor.to_vector();
  array.values.assign(values.begin(), values.end());
  return array;
}

void for_each_index(const Shape& shape,
                    const std::function<void(const std::vector<std::int64_t>&)>& visit) {
  if (shape.numel() == 0) return;
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
  while (true) {
    visit(index);
    int dim = shape.rank() - 1;
    while (dim >= 0 && ++index[static_cast<std::size_t>(dim)] == shape[dim]) {
      index[static_cast<std::size_t>(dim--)] = 0;
    }
    if (dim < 0) return;
  }
}

double relative_error(const std::vector<float>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

void expect_close(const Tensor& actual, const Array& expected, double tolerance,
                  const std::string& what) {
  ASSERT_TRUE(actual.defined()) << what;
  ASSERT_EQ(actual.shape().to_string(), expected.shape.to_string()) << what;
  // Negated so that a NaN fails.
  EXPECT_FALSE(!(relative_error(actual.to_vector(), expected.values) <= tolerance))
      << what << ": L2-relative error " << relative_error(actual.to_vector(), expected.values)
      << " above " << tolerance;
}

void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_TRUE(a.defined() && b.defined()) << what;
  ASSERT_EQ(a.shape().to_string(), b.shape().to_string()) << what;
  const std::vector<float> x = a.to_vector();
  const std::vector<float> y = b.to_vector();
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(x[i]), std::bit_cast<std::uint32_t>(y[i]))
        << what << ": element " << i << ", " << x[i] << " against " << y[i];
  }
}

void check_op(const std::string& what, const Op& op, const Reference& reference,
              const std::vector<Array>& inputs, Tolerance tolerance) {
  SCOPED_TRACE(what);
  const Array expected = reference(inputs);

  const std::vector<Tensor> all = leaves(inputs, std::vector<bool>(inputs.size(), true));
  const Tensor y = op(all);
  expect_close(y, expected, tolerance.forward, "forward");
  // Of one sign, so that sums over broadcast dimensions do not cancel.
  const Array weights = random_array(expected.shape, 999, 0.25, 1.25);
  y.backward(to_tensor(weights));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    expect_close(all[i].grad(), numeric_gradient(reference, inputs, i, weights), tolerance.gradient,
                 "gradient of input " + std::to_string(i));
  }

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<bool> wanted(inputs.size(), false);
    wanted[i] = true;
    const std::vector<Tensor> one = leaves(inputs, wanted);
    op(one).backward(to_tensor(weights));
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      if (j == i) {
        expect_same_bits(one[j].grad(), all[j].grad(), "gradient alone of " + std::to_string(i));
      } else {
        EXPECT_FALSE(one[j].grad().defined()) << "input " << j << " needs no gradient";
      }
    }
  }

  const Tensor constant = op(leaves(inputs, std::vector<bool>(inputs.size(), false)));
  EXPECT_TRUE(constant.is_leaf()) << "recorded although no input needs a gradient";
  const NoGrad no_grad;
  EXPECT_TRUE(op(all).is_leaf()) << "recorded inside NoGrad";
}

}  // namespace hanok::testing
