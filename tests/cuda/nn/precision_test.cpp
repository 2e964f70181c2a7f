// Mixed precision on CUDA: the types of tensors, gradients close to f32's, and captured steps and
// evaluation that use the current weights.
#include "hanok/engine/precision.h"

#include <cmath>
#include <gtest/gtest.h>
#include <memory>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/profiler.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/nn/containers.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/models/small.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::nn {
namespace {

const Device kDevice = Device::cuda(0);

Tensor data_of(const Shape& shape, std::uint64_t seed) {
  return Tensor::from_vector(test::test_data(shape.numel(), seed), shape).to(kDevice);
}

/// Root mean square of got - want, over that of want.
double distance(const Tensor& got, const Tensor& want) {
  const std::vector<float> a = got.to_vector(), b = want.to_vector();
  double error = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double difference = double{a[i]} - double{b[i]};
    error += difference * difference;
    size += double{b[i]} * double{b[i]};
  }
  return std::sqrt(error / size);
}

class MixedPrecision : public ::testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    ASSERT_NE(cuda_runtime(), nullptr);
    try {
      check_precision(GetParam(), kDevice);
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.what();
    }
    Generator::global().set_seed(3);
  }
  DType half() const { return compute_dtype(GetParam()); }
  /// Bits of the significand: the relative error of one rounding.
  double unit() const { return half() == DType::F16 ? 1.0 / 2048 : 1.0 / 256; }
};

INSTANTIATE_TEST_SUITE_P(Halves, MixedPrecision, ::testing::Values(Precision::BF16, Precision::F16),
                         [](const auto& info) { return name_of(info.param); });

Conv2dOptions conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride, bool bias) {
  Conv2dOptions options;
  options.in_channels = in;
  options.out_channels = out;
  options.kernel_h = options.kernel_w = 3;
  options.window = {stride, stride, 1, 1, 1, 1};
  options.bias = bias;
  return options;
}

/// A small residual network: stem, one block with a shortcut, pooling, a head.
class SmallResidual : public Module {
 public:
  SmallResidual()
      : stem(this, "stem",
             Conv2dOptions{.in_channels = 3,
                           .out_channels = 8,
                           .kernel_h = 3,
                           .kernel_w = 3,
                           .window = {2, 2, 1, 1, 1, 1},
                           .groups = 1,
                           .bias = false}),
        stem_bn(this, "stem_bn", 8),
        conv(this, "conv",
             Conv2dOptions{.in_channels = 8,
                           .out_channels = 8,
                           .kernel_h = 3,
                           .kernel_w = 3,
                           .window = {1, 1, 1, 1, 1, 1},
                           .groups = 1,
                           .bias = true}),
        bn(this, "bn", 8),
        head(this, "head", 8, 5) {}
  Tensor forward(const Tensor& x) override {
    const Tensor a = conv_bn_act(x, *stem, *stem_bn);
    const Tensor b = conv_bn_act(a, *conv, *bn, a);
    features = ops::max_pool2d(b, 2, 2, {2, 2, 0, 0, 1, 1});
    return (*head)(ops::flatten(ops::adaptive_avg_pool2d(features, 1, 1), 1, -1));
  }
  std::unique_ptr<Module> clone() const override { return clone_as<SmallResidual>(); }
  std::string type_name() const override { return "SmallResidual"; }

  Child<Conv2d> stem;
  Child<BatchNorm2d> stem_bn;
  Child<Conv2d> conv;
  Child<BatchNorm2d> bn;
  Child<Linear> head;
  Tensor features;
};

const std::vector<std::int64_t> kTargets = {3, 1, 4, 1, 0, 2};
Tensor targets() { return Tensor::from_vector(kTargets, {6}).to(kDevice); }

TEST_P(MixedPrecision, ActivationsAreHalvesAndEverythingElseIsF32) {
  SmallResidual model;
  model.to(kDevice);
  const PrecisionScope scope(GetParam());
  const Tensor logits = model(data_of({6, 3, 16, 16}, 1));
  EXPECT_EQ(model.features.dtype(), half());
  EXPECT_EQ(logits.dtype(), half());
  EXPECT_EQ(ops::softmax(logits, 1).dtype(), DType::F32);
  const Tensor loss = ops::cross_entropy(logits, targets());
  EXPECT_EQ(loss.dtype(), DType::F32);
  loss.backward();
  for (const NamedTensor& p : model.named_parameters()) {
    EXPECT_EQ(p.tensor.dtype(), DType::F32) << p.name;
    ASSERT_TRUE(p.tensor.grad().defined()) << p.name;
    EXPECT_EQ(p.tensor.grad().dtype(), DType::F32) << p.name;
  }
  for (const NamedTensor& b : model.named_buffers()) {
    EXPECT_NE(b.tensor.dtype(), half()) << b.name;
  }
}

/// The same without kinks: tanh and average pooling.
class SmoothCnn : public Module {
 public:
  SmoothCnn()
      : conv1(this, "conv1", conv3x3(1, 6, 1, /*bias=*/true)),
        conv2(this, "conv2", conv3x3(6, 8, 2, /*bias=*/true)),
        fc(this, "fc", 8 * 4 * 4, 10),
        head(this, "head", 10, 5) {}
  Tensor forward(const Tensor& x) override {
    const Window2d halving{2, 2, 0, 0, 1, 1};
    const Tensor a = ops::avg_pool2d(ops::tanh((*conv1)(x)), 2, 2, halving);
    const Tensor b = ops::tanh((*conv2)(a));
    return (*head)(ops::tanh((*fc)(ops::flatten(b, 1, -1))));
  }
  std::unique_ptr<Module> clone() const override { return clone_as<SmoothCnn>(); }
  std::string type_name() const override { return "SmoothCnn"; }

  Child<Conv2d> conv1, conv2;
  Child<Linear> fc, head;
};

/// Loss, gradients of all parameters and running statistics, in f32 and in the other precision.
void expect_near_f32(Module& model, const Tensor& images, Precision precision, double tolerance) {
  const std::unique_ptr<Module> twin = model.clone();
  twin->to(kDevice);
  model.to(kDevice);
  const Tensor want = ops::cross_entropy(model(images), targets());
  want.backward();
  const PrecisionScope scope(precision);
  const Tensor got = ops::cross_entropy((*twin)(images), targets());
  got.backward();
  EXPECT_NEAR(got.item(), want.item(), tolerance * want.item());
  const auto wanted = model.named_parameters(), found = twin->named_parameters();
  double largest = 0;
  for (const NamedTensor& p : wanted) {
    for (const float g : p.tensor.grad().to_vector()) {
      largest = std::max(largest, static_cast<double>(std::fabs(g)));
    }
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Tensor gradient = wanted[i].tensor.grad();
    double most = 0;
    for (const float g : gradient.to_vector()) most = std::max<double>(most, std::fabs(g));
    if (most < 1e-4 * largest) continue;  // a bias before batch norm: rounding noise in f32, too
    EXPECT_LT(distance(found[i].tensor.grad(), gradient), tolerance) << wanted[i].name;
  }
  const auto wanted_buffers = model.named_buffers(), found_buffers = twin->named_buffers();
  for (std::size_t i = 0; i < wanted_buffers.size(); ++i) {
    EXPECT_LT(distance(found_buffers[i].tensor, wanted_buffers[i].tensor), tolerance)
        << wanted_buffers[i].name;
  }
}

// A value is rounded about a dozen times on the way to a gradient, each time by at most `unit` with
// a random sign.
TEST_P(MixedPrecision, GradientsWithoutKinksAreWithinAFewRoundingsOfF32s) {
  SmoothCnn model;
  expect_near_f32(model, data_of({6, 1, 16, 16}, 2), GetParam(), 4 * unit());
}

// Where two values are equal up to rounding, a ReLU may switch or a max-pool may select the other
// one.
TEST_P(MixedPrecision, GradientsOfAResidualNetworkAreNearF32s) {
  SmallResidual model;
  expect_near_f32(model, data_of({6, 3, 16, 16}, 1), GetParam(), 24 * unit());
}

// LeNet's first layer gets all its gradients through two max-pools: the 10 of 5,184 windows that
// select another element change the sum more than rounding alone.
TEST_P(MixedPrecision, GradientsOfLeNetAreNearF32s) {
  LeNet model(10, 1, 28);
  expect_near_f32(model, data_of({6, 1, 28, 28}, 2), GetParam(), 0.2);
}

// Depthwise convolutions, squeeze and excitation, hardswish; GELU, layer norm, layer scale: every
// op gets operands of one type, forward and backward.
TEST_P(MixedPrecision, ModelsOfEveryKindComputeForwardAndBackward) {
  for (const char* name : {"mobilenet_v3_small", "convnext_tiny"}) {
    SCOPED_TRACE(name);
    const std::unique_ptr<Module> model = make_model(name, 5, 32);
    model->to(kDevice);
    const Tensor images = data_of({2, 3, 32, 32}, 4);
    const Tensor two = Tensor::from_vector(std::vector<std::int64_t>{3, 1}, {2}).to(kDevice);
    const double want = ops::cross_entropy((*model)(images), two).item();
    Generator::global().begin_step(0, 0);
    const PrecisionScope scope(GetParam());
    const Tensor loss = ops::cross_entropy((*model)(images), two);
    loss.backward();
    EXPECT_NEAR(loss.item(), want, 0.5);
    for (const Tensor& p : model->parameters()) {
      ASSERT_TRUE(p.grad().defined());
      EXPECT_EQ(p.grad().dtype(), DType::F32);
    }
  }
}

TEST_P(MixedPrecision, EvaluationConvertsAWeightOnceAVersion) {
  Conv2d conv(conv3x3(3, 4, 1, /*bias=*/true));
  conv.to(kDevice);
  const Tensor x = data_of({2, 3, 5, 5}, 1).to(half());
  const NoGrad no_grad;
  const PrecisionScope scope(GetParam());
  const auto casts = [&] {
    Profiler profiler(kDevice);
    conv(x);
    int count = 0;
    for (const KernelCall& call : profiler.calls()) {
      count += std::string(call.kernel) == "cast" ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(casts(), 1);
  EXPECT_EQ(casts(), 0);
  const Tensor before = conv(x);
  Tensor weight = conv.weight;
  weight.copy_from(ops::affine(weight, 2, 0));
  EXPECT_EQ(casts(), 1);
  Tensor bias = conv.bias;
  bias.copy_from(ops::affine(bias, 2, 0));
  EXPECT_EQ(conv(x).to_vector(), ops::affine(before, 2, 0).to_vector());
}

// A replay must read the current weights, not those of the capture.
TEST_P(MixedPrecision, ACapturedStepConvertsTheWeightsAnew) {
  LeNet model(10, 1, 28);
  model.to(kDevice);
  model.conv1->freeze("*");  // frozen: its copy is cached outside of captures
  const Tensor images = data_of({6, 1, 28, 28}, 2);
  const Tensor t = targets();
  const PrecisionScope scope(GetParam());
  const auto step = [&] {
    model.zero_grad();
    const Tensor loss = ops::cross_entropy(model(images), t);
    loss.backward();
    return loss.detach();
  };
  step();  // caches a copy of conv1's weights
  MemoryPool pool(allocator_of(kDevice));
  std::unique_ptr<Workspace> workspace = make_workspace(kDevice);
  std::unique_ptr<CudaGraph> graph;
  Tensor loss;
  {
    const MemoryPool::Scope from_pool(pool);
    const OwnWorkspace own(kDevice, *workspace);
    cuda_runtime()->begin_capture(kDevice.index);
    loss = step();
    graph = cuda_runtime()->end_capture(kDevice.index);
  }
  std::vector<std::vector<float>> gradients;
  for (Tensor& p : model.parameters()) p.copy_from(ops::affine(p.detach(), 1.5F, 0));
  graph->replay();
  const std::vector<float> replayed = loss.to_vector();
  std::vector<std::vector<float>> found;
  for (const Tensor& p : model.parameters()) {
    if (p.grad().defined()) found.push_back(p.grad().to_vector());
  }
  EXPECT_EQ(replayed, step().to_vector());
  for (const Tensor& p : model.parameters()) {
    if (p.grad().defined()) gradients.push_back(p.grad().to_vector());
  }
  EXPECT_EQ(found, gradients);
}

TEST_P(MixedPrecision, RepeatsItsBits) {
  const auto once = [&] {
    Generator::global().set_seed(3);
    SmallResidual model;
    model.to(kDevice);
    const PrecisionScope scope(GetParam());
    ops::cross_entropy(model(data_of({6, 3, 16, 16}, 1)), targets()).backward();
    std::vector<std::vector<float>> gradients;
    for (const Tensor& p : model.parameters()) gradients.push_back(p.grad().to_vector());
    return gradients;
  };
  EXPECT_EQ(once(), once());
}

TEST_P(MixedPrecision, OperandsOfTwoTypesAreRefused) {
  const Tensor x = data_of({2, 4}, 1);
  const Tensor w = data_of({3, 4}, 2);
  EXPECT_THROW(ops::add(x, x.to(half())), DTypeError);
  EXPECT_THROW(ops::linear(x.to(half()), w), DTypeError);  // f32 is required
  const PrecisionScope scope(GetParam());
  const DType other = half() == DType::F16 ? DType::BF16 : DType::F16;
  EXPECT_THROW(ops::linear(x.to(other), w), DTypeError);
  EXPECT_EQ(ops::linear(x, w).dtype(), half());
}

TEST(Tf32, IsAllowedWithinItsScopeAlone) {
  ASSERT_NE(cuda_runtime(), nullptr);
  const bool before = cuda_runtime()->tf32_allowed();
  {
    const PrecisionScope scope(Precision::TF32);
    EXPECT_TRUE(cuda_runtime()->tf32_allowed());
    const PrecisionScope inner(Precision::F32);
    EXPECT_FALSE(cuda_runtime()->tf32_allowed());
  }
  EXPECT_EQ(cuda_runtime()->tf32_allowed(), before);
}

}  // namespace
}  // namespace hanok::nn
