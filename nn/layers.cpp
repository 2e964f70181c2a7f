#include "nn/layers.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <typeinfo>

#include "kernels/base/error.h"
#include "nn/init.h"

namespace hanok::nn {
namespace {

// PyTorch's initialisation of Linear and Conv2d: weight and bias uniform within 1/sqrt(fan_in).
void reset_parameters(Parameter& weight, Parameter& bias) {
  init::kaiming_uniform(weight.data(), std::sqrt(5.0F));
  if (!bias.defined()) return;
  const auto fan_in = static_cast<float>(init::fan(weight, init::Fan::In));
  const float bound = 1.0F / std::sqrt(fan_in);
  init::uniform(bias.data(), -bound, bound);
}

std::int64_t positive(const char* layer, const char* what, std::int64_t value) {
  if (value < 1) {
    throw ValueError(fmt::format("{}: {} must be positive, got {}", layer, what, value));
  }
  return value;
}

const Conv2dOptions& checked(const Conv2dOptions& o) {
  positive("Conv2d", "in_channels", o.in_channels);
  positive("Conv2d", "out_channels", o.out_channels);
  positive("Conv2d", "kernel_h", o.kernel_h);
  positive("Conv2d", "kernel_w", o.kernel_w);
  positive("Conv2d", "stride_h", o.window.stride_h);
  positive("Conv2d", "stride_w", o.window.stride_w);
  positive("Conv2d", "dilation_h", o.window.dilation_h);
  positive("Conv2d", "dilation_w", o.window.dilation_w);
  positive("Conv2d", "groups", o.groups);
  if (o.in_channels % o.groups != 0 || o.out_channels % o.groups != 0) {
    throw ValueError(
        fmt::format("Conv2d: {} input and {} output channels do not divide into {} groups",
                    o.in_channels, o.out_channels, o.groups));
  }
  return o;
}

Window2d square_window(std::int64_t stride, std::int64_t padding) {
  return {stride, stride, padding, padding, 1, 1};
}

}  // namespace

// ---- Linear ----

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias)
    : in_features(positive("Linear", "in_features", in_features)),
      out_features(positive("Linear", "out_features", out_features)),
      weight(this, "weight", Tensor::empty({out_features, in_features})),
      bias(this, "bias", with_bias ? Tensor::empty({out_features}) : Tensor()) {
  reset_parameters(weight, bias);
}

Tensor Linear::forward(const Tensor& x) { return ops::linear(x, weight, bias); }

std::unique_ptr<Module> Linear::clone() const {
  return clone_as<Linear>(in_features, out_features, bias.defined());
}

std::string Linear::extra_repr() const {
  return fmt::format("in_features={}, out_features={}, bias={}", in_features, out_features,
                     bias.defined() ? "True" : "False");
}

// ---- Conv2d ----

Conv2d::Conv2d(const Conv2dOptions& given)
    : options(checked(given)),
      weight(this, "weight",
             Tensor::empty({options.out_channels, options.in_channels / options.groups,
                            options.kernel_h, options.kernel_w})),
      bias(this, "bias", options.bias ? Tensor::empty({options.out_channels}) : Tensor()) {
  reset_parameters(weight, bias);
}

ops::Conv2dArguments Conv2d::arguments() const {
  return {weight, bias, options.window, options.groups};
}

Tensor Conv2d::forward(const Tensor& x) {
  return ops::conv2d(x, weight, bias, options.window, options.groups);
}

std::unique_ptr<Module> Conv2d::clone() const { return clone_as<Conv2d>(options); }

std::string Conv2d::extra_repr() const {
  const Window2d& w = options.window;
  std::string text =
      fmt::format("{}, {}, kernel_size=({}, {}), stride=({}, {})", options.in_channels,
                  options.out_channels, options.kernel_h, options.kernel_w, w.stride_h, w.stride_w);
  if (w.pad_h != 0 || w.pad_w != 0) text += fmt::format(", padding=({}, {})", w.pad_h, w.pad_w);
  if (w.dilation_h != 1 || w.dilation_w != 1) {
    text += fmt::format(", dilation=({}, {})", w.dilation_h, w.dilation_w);
  }
  if (options.groups != 1) text += fmt::format(", groups={}", options.groups);
  if (!bias.defined()) text += ", bias=False";
  return text;
}

// ---- BatchNorm ----

BatchNorm::BatchNorm(std::int64_t features, double epsilon, double momentum)
    : features(positive("BatchNorm", "features", features)),
      epsilon(epsilon),
      momentum(momentum),
      weight(this, "weight", Tensor::ones({features})),
      bias(this, "bias", Tensor::zeros({features})),
      running_mean(this, "running_mean", Tensor::zeros({features})),
      running_var(this, "running_var", Tensor::ones({features})),
      num_batches_tracked(this, "num_batches_tracked", Tensor::zeros({}, {DType::I64})) {}

ops::BatchNormState BatchNorm::state() const {
  ops::BatchNormState state;
  state.weight = weight;
  state.bias = bias;
  state.running_mean = running_mean;
  state.running_var = running_var;
  state.num_batches_tracked = num_batches_tracked;
  state.training = is_training() && !is_frozen();
  state.momentum = momentum;
  state.epsilon = epsilon;
  return state;
}

Tensor BatchNorm::forward(const Tensor& x) { return ops::batch_norm(x, state()); }

std::string BatchNorm::extra_repr() const {
  return fmt::format("{}, eps={}, momentum={}, affine=True, track_running_stats=True", features,
                     epsilon, momentum);
}

std::unique_ptr<Module> BatchNorm2d::clone() const {
  return clone_as<BatchNorm2d>(features, epsilon, momentum);
}
std::unique_ptr<Module> BatchNorm1d::clone() const {
  return clone_as<BatchNorm1d>(features, epsilon, momentum);
}

Tensor conv_bn_act(const Tensor& x, Conv2d& conv, BatchNorm2d& bn, const Tensor& residual,
                   Activation activation) {
  if (conv.has_forward_hooks() || bn.has_forward_hooks()) {
    Tensor y = bn(conv(x));
    if (residual.defined()) y = ops::add(y, residual);
    return activation == Activation::Relu ? ops::relu(y) : y;
  }
  return ops::conv_bn_act(x, conv.arguments(), bn.state(), residual, activation);
}

// ---- layers without parameters ----

MaxPool2d::MaxPool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding)
    : kernel(positive("MaxPool2d", "kernel", kernel)),
      stride(positive("MaxPool2d", "stride", stride)),
      padding(padding) {}
Tensor MaxPool2d::forward(const Tensor& x) {
  return ops::max_pool2d(x, kernel, kernel, square_window(stride, padding));
}
std::unique_ptr<Module> MaxPool2d::clone() const {
  return clone_as<MaxPool2d>(kernel, stride, padding);
}
std::string MaxPool2d::extra_repr() const {
  return fmt::format("kernel_size={}, stride={}, padding={}, dilation=1, ceil_mode=False", kernel,
                     stride, padding);
}

AvgPool2d::AvgPool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding)
    : kernel(positive("AvgPool2d", "kernel", kernel)),
      stride(positive("AvgPool2d", "stride", stride)),
      padding(padding) {}
Tensor AvgPool2d::forward(const Tensor& x) {
  return ops::avg_pool2d(x, kernel, kernel, square_window(stride, padding));
}
std::unique_ptr<Module> AvgPool2d::clone() const {
  return clone_as<AvgPool2d>(kernel, stride, padding);
}
std::string AvgPool2d::extra_repr() const {
  return fmt::format("kernel_size={}, stride={}, padding={}", kernel, stride, padding);
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(std::int64_t out_h, std::int64_t out_w)
    : out_h(positive("AdaptiveAvgPool2d", "out_h", out_h)),
      out_w(positive("AdaptiveAvgPool2d", "out_w", out_w)) {}
Tensor AdaptiveAvgPool2d::forward(const Tensor& x) {
  return ops::adaptive_avg_pool2d(x, out_h, out_w);
}
std::unique_ptr<Module> AdaptiveAvgPool2d::clone() const {
  return clone_as<AdaptiveAvgPool2d>(out_h, out_w);
}
std::string AdaptiveAvgPool2d::extra_repr() const {
  return fmt::format("output_size=({}, {})", out_h, out_w);
}

Dropout::Dropout(float p) : p(p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(fmt::format("Dropout: p must be in [0,1], got {}", p));
}
Tensor Dropout::forward(const Tensor& x) { return ops::dropout(x, p, is_training()); }
std::unique_ptr<Module> Dropout::clone() const { return clone_as<Dropout>(p); }
std::string Dropout::extra_repr() const { return fmt::format("p={}, inplace=False", p); }

Flatten::Flatten(int start_dim, int end_dim) : start_dim(start_dim), end_dim(end_dim) {}
Tensor Flatten::forward(const Tensor& x) { return ops::flatten(x, start_dim, end_dim); }
std::unique_ptr<Module> Flatten::clone() const { return clone_as<Flatten>(start_dim, end_dim); }
std::string Flatten::extra_repr() const {
  return fmt::format("start_dim={}, end_dim={}", start_dim, end_dim);
}

std::unique_ptr<Module> Identity::clone() const { return clone_as<Identity>(); }

// ---- Sequential ----

Sequential::Sequential(std::vector<std::unique_ptr<Module>> modules) {
  for (auto& module : modules) append(std::move(module));
}

void Sequential::append(std::unique_ptr<Module> module) {
  if (module == nullptr) throw ValueError("Sequential: cannot append an empty pointer");
  slots_.push_back(
      std::make_unique<Child<Module>>(this, std::to_string(slots_.size()), std::move(module)));
}

Module& Sequential::operator[](std::size_t i) const {
  if (i >= slots_.size()) {
    throw ValueError(fmt::format("Sequential: no module {} among {}", i, slots_.size()));
  }
  return **slots_[i];
}

// Runs modules i, i+1 (and i+2) as one op if they are a convolution, a batch norm (and a ReLU);
// returns how many it ran.
std::size_t Sequential::run_fused(std::size_t i, Tensor& y) const {
  const auto is = [&](std::size_t at, const std::type_info& type) {
    const Module* module = at < size() ? slots_[at]->module() : nullptr;
    return module != nullptr && typeid(*module) == type;
  };
  if (!is(i, typeid(Conv2d)) || !is(i + 1, typeid(BatchNorm2d))) return 0;
  const bool relu = is(i + 2, typeid(ReLU)) && !slots_[i + 2]->module()->has_forward_hooks();
  y = conv_bn_act(y, static_cast<Conv2d&>((*this)[i]), static_cast<BatchNorm2d&>((*this)[i + 1]),
                  {}, relu ? Activation::Relu : Activation::None);
  return relu ? 3 : 2;
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (std::size_t i = 0; i < size();) {
    const std::size_t fused = run_fused(i, y);
    if (fused == 0) y = (*this)[i](y);
    i += std::max<std::size_t>(fused, 1);
  }
  return y;
}

std::unique_ptr<Module> Sequential::clone() const {
  auto copy = std::make_unique<Sequential>();
  copy->train(is_training());  // before the children come: they keep their own modes
  for (const auto& slot : slots_) copy->append((*slot)->clone());
  return copy;
}

}  // namespace hanok::nn
