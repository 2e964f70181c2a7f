// Every op of engine/ops.h against PyTorch's double-precision results (tests/golden/nn_ops_*.json):
// outputs and gradients to an L2-relative error of 1e-5.
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <string>

#include "hanok/engine/ops.h"
#include "tests/golden/golden.h"

namespace hanok {
namespace {

using golden::Json;

constexpr double kTolerance = 1e-5;

const char* const kFiles[] = {"nn_ops_elementwise.json",
                              "nn_ops_products.json",
                              "nn_ops_norms_pools.json",
                              "nn_ops_losses_reductions.json",
                              "nn_ops_shapes.json",
                              "nn_ops_activations_norms.json",
                              "nn_ops_convolutions_resizing.json",
                              "nn_ops_losses_indices.json"};

// The inputs of an op from its golden case, and its outputs besides the result.
struct Call {
  std::string name;  // "ops/CASE/"
  const Json& attributes;
  std::map<std::string, Tensor> inputs;
  std::map<std::string, Tensor> outputs;

  // Undefined if the case has no such input.
  Tensor operator[](const std::string& key) const {
    const auto found = inputs.find(key);
    return found == inputs.end() ? Tensor() : found->second;
  }
  template <typename T>
  T get(const char* key) const {
    return attributes.at(key).get<T>();
  }
};

using Op = std::function<Tensor(Call&)>;

Op unary(Tensor (*op)(const Tensor&)) {
  return [op](Call& c) { return op(c["x"]); };
}
Op binary(Tensor (*op)(const Tensor&, const Tensor&)) {
  return [op](Call& c) { return op(c["a"], c["b"]); };
}

Window2d window(const Call& c) {
  const auto stride = c.get<std::vector<std::int64_t>>("stride");
  const auto padding = c.get<std::vector<std::int64_t>>("padding");
  Window2d result{stride[0], stride[1], padding[0], padding[1], 1, 1};
  if (c.attributes.contains("dilation")) {
    const auto dilation = c.get<std::vector<std::int64_t>>("dilation");
    result.dilation_h = dilation[0];
    result.dilation_w = dilation[1];
  }
  return result;
}

ops::BatchNormState batch_norm_state(Call& c) {
  ops::BatchNormState state;
  state.weight = c["gamma"];
  state.bias = c["beta"];
  state.running_mean = c["mean"];
  state.running_var = c["var"];
  state.training = c.get<bool>("training");
  if (c.attributes.contains("momentum")) state.momentum = c.get<double>("momentum");
  // Written by the op itself, in training only, as in the golden.
  if (state.training) {
    c.outputs["running_mean"] = state.running_mean;
    c.outputs["running_var"] = state.running_var;
  }
  return state;
}

ops::Reduction reduction_of(const Call& c) {
  const auto reduction = c.get<std::string>("reduction");
  return reduction == "mean"  ? ops::Reduction::Mean
         : reduction == "sum" ? ops::Reduction::Sum
                              : ops::Reduction::None;
}

Tensor indices_of(const Call& c) {
  return Tensor::from_vector(c.get<std::vector<std::int64_t>>("indices"),
                             golden::shape_of(c.attributes.at("sizes")));
}

// As floats, to be compared like any result.
Tensor as_floats(const Tensor& integers) {
  const auto values = integers.to_int_vector();
  return Tensor::from_vector(std::vector<float>(values.begin(), values.end()), integers.shape());
}

Op loss(Tensor (*op)(const Tensor&, const Tensor&, ops::Reduction)) {
  return [op](Call& c) { return op(c["x"], c["target"], reduction_of(c)); };
}

/// Labels of the rows of `logits`: written out, else by formula.
Tensor labels_of(Call& c) {
  if (c.attributes.contains("indices")) return indices_of(c);
  const std::int64_t samples = c["logits"].size(0), classes = c["logits"].size(1);
  return Tensor::from_vector(golden::integers(c.name + "targets", samples, classes), {samples});
}

Tensor cross_entropy(Call& c) {
  ops::CrossEntropyOptions options;
  options.class_weights = c["class_weights"];
  options.label_smoothing = c.get<float>("label_smoothing");
  options.reduction = reduction_of(c);
  if (c.get<bool>("soft")) return ops::cross_entropy(c["logits"], c["targets"], options);
  auto labels = labels_of(c).to_int_vector();
  for (std::size_t i = 1; c.get<bool>("ignore") && i < labels.size(); i += 3) labels[i] = -100;
  return ops::cross_entropy(c["logits"], Tensor::from_vector(labels, {c["logits"].size(0)}),
                            options);
}

PoolSize pool_size(const Call& c) {
  return c.attributes.value("ceil_mode", false) ? PoolSize::Ceil : PoolSize::Floor;
}

Tensor max(Call& c) {
  const auto [values, indices] = ops::max(c["x"], c.get<int>("dim"), c.get<bool>("keep"));
  c.outputs["indices"] = as_floats(indices);
  return values;
}

Tensor topk(Call& c) {
  const auto [values, indices] = ops::topk(c["x"], c.get<std::int64_t>("k"), c.get<int>("dim"));
  c.outputs["indices"] = as_floats(indices);
  return values;
}

Tensor focal_loss(Call& c) {
  ops::FocalLossOptions options;
  options.gamma = c.get<float>("gamma");
  options.alpha = c["alpha"];
  options.reduction = reduction_of(c);
  return ops::focal_loss(c["logits"], labels_of(c), options);
}

Tensor where(Call& c) {
  const auto condition = c.get<std::vector<std::int64_t>>("condition");
  const Shape shape = golden::shape_of(c.attributes.at("sizes"));
  return ops::where(Tensor::from_vector(condition, shape).to(DType::U8), c["a"], c["b"]);
}

Tensor conv1d(Call& c) {
  const ops::Window1d window{c.get<std::int64_t>("stride"), c.get<std::int64_t>("padding"),
                             c.get<std::int64_t>("dilation")};
  return ops::conv1d(c["x"], c["w"], c["b"], window, c.get<std::int64_t>("groups"));
}

Tensor conv_transpose2d(Call& c) {
  const auto output_padding = c.get<std::vector<std::int64_t>>("output_padding");
  return ops::conv_transpose2d(c["x"], c["w"], c["b"], window(c), c.get<std::int64_t>("groups"),
                               output_padding[0], output_padding[1]);
}

// Variance and standard deviation.
Op spread(Tensor (*op)(const Tensor&, const std::vector<int>&, bool, double)) {
  return [op](Call& c) {
    return op(c["x"], c.get<std::vector<int>>("dims"), c.get<bool>("keep"),
              c.get<double>("correction"));
  };
}

const std::map<std::string, Op>& table() {
  static const std::map<std::string, Op> ops = {
      {"add", binary(ops::add)},
      {"sub", binary(ops::sub)},
      {"mul", binary(ops::mul)},
      {"div", binary(ops::div)},
      {"maximum", binary(ops::maximum)},
      {"minimum", binary(ops::minimum)},
      {"affine",
       [](Call& c) { return ops::affine(c["x"], c.get<float>("scale"), c.get<float>("shift")); }},
      {"neg", unary(ops::neg)},
      {"exp", unary(ops::exp)},
      {"log", unary(ops::log)},
      {"sqrt", unary(ops::sqrt)},
      {"square", unary(ops::square)},
      {"abs", unary(ops::abs)},
      {"relu", unary(ops::relu)},
      {"leaky_relu", [](Call& c) { return ops::leaky_relu(c["x"], c.get<float>("slope")); }},
      {"prelu", [](Call& c) { return ops::prelu(c["x"], c["w"]); }},
      {"sigmoid", unary(ops::sigmoid)},
      {"tanh", unary(ops::tanh)},
      {"matmul", binary(ops::matmul)},
      {"linear", [](Call& c) { return ops::linear(c["x"], c["w"], c["b"]); }},
      {"conv2d",
       [](Call& c) {
         return ops::conv2d(c["x"], c["w"], c["b"], window(c), c.get<std::int64_t>("groups"));
       }},
      {"batch_norm", [](Call& c) { return ops::batch_norm(c["x"], batch_norm_state(c)); }},
      {"conv_bn_act",
       [](Call& c) {
         return ops::conv_bn_act(c["x"], {c["w"], Tensor(), window(c), 1}, batch_norm_state(c),
                                 c["residual"],
                                 c.get<bool>("relu") ? Activation::Relu : Activation::None);
       }},
      {"max_pool2d",
       [](Call& c) {
         const auto kernel = c.get<std::vector<std::int64_t>>("kernel");
         return ops::max_pool2d(c["x"], kernel[0], kernel[1], window(c), pool_size(c));
       }},
      {"avg_pool2d",
       [](Call& c) {
         const auto kernel = c.get<std::vector<std::int64_t>>("kernel");
         return ops::avg_pool2d(c["x"], kernel[0], kernel[1], window(c),
                                c.get<bool>("count_include_pad"), pool_size(c));
       }},
      {"adaptive_avg_pool2d",
       [](Call& c) {
         const auto out = c.get<std::vector<std::int64_t>>("out");
         return ops::adaptive_avg_pool2d(c["x"], out[0], out[1]);
       }},
      {"softmax", [](Call& c) { return ops::softmax(c["x"], c.get<int>("dim")); }},
      {"log_softmax", [](Call& c) { return ops::log_softmax(c["x"], c.get<int>("dim")); }},
      {"cross_entropy", cross_entropy},
      {"dropout",
       [](Call& c) { return ops::dropout(c["x"], c.get<float>("p"), c.get<bool>("training")); }},
      {"sum",
       [](Call& c) {
         return ops::sum(c["x"], c.get<std::vector<int>>("dims"), c.get<bool>("keep"));
       }},
      {"mean",
       [](Call& c) {
         return ops::mean(c["x"], c.get<std::vector<int>>("dims"), c.get<bool>("keep"));
       }},
      {"max", max},
      {"argmax", [](Call& c) { return as_floats(ops::argmax(c["x"], c.get<int>("dim"))); }},
      {"reshape",
       [](Call& c) { return ops::reshape(c["x"], c.get<std::vector<std::int64_t>>("sizes")); }},
      {"flatten",
       [](Call& c) { return ops::flatten(c["x"], c.get<int>("start"), c.get<int>("end")); }},
      {"permute", [](Call& c) { return ops::permute(c["x"], c.get<std::vector<int>>("order")); }},
      {"transpose",
       [](Call& c) { return ops::transpose(c["x"], c.get<int>("a"), c.get<int>("b")); }},
      {"slice",
       [](Call& c) {
         return ops::slice(c["x"], c.get<int>("dim"), c.get<std::int64_t>("begin"),
                           c.get<std::int64_t>("end"));
       }},
      {"concat",
       [](Call& c) {
         return ops::concat({c["a"], c["b"]}, c.get<int>("dim"));
       }},
      {"unsqueeze", [](Call& c) { return ops::unsqueeze(c["x"], c.get<int>("dim")); }},
      {"squeeze", [](Call& c) { return ops::squeeze(c["x"], c.get<int>("dim")); }},
      {"reciprocal", unary(ops::reciprocal)},
      {"sin", unary(ops::sin)},
      {"cos", unary(ops::cos)},
      {"erf", unary(ops::erf)},
      {"silu", unary(ops::silu)},
      {"gelu", unary(ops::gelu)},
      {"hardswish", unary(ops::hardswish)},
      {"hardsigmoid", unary(ops::hardsigmoid)},
      {"pow", [](Call& c) { return ops::pow(c["x"], c.get<float>("exponent")); }},
      {"clamp",
       [](Call& c) { return ops::clamp(c["x"], c.get<float>("low"), c.get<float>("high")); }},
      {"where", where},
      {"layer_norm",
       [](Call& c) { return ops::layer_norm(c["x"], c.get<int>("dims"), c["w"], c["b"]); }},
      {"layer_norm_channels",
       [](Call& c) { return ops::layer_norm_channels(c["x"], c["w"], c["b"]); }},
      {"group_norm",
       [](Call& c) {
         return ops::group_norm(c["x"], c.get<std::int64_t>("groups"), c["w"], c["b"]);
       }},
      {"conv1d", conv1d},
      {"conv_transpose2d", conv_transpose2d},
      {"upsample_nearest2d",
       [](Call& c) {
         const auto out = c.get<std::vector<std::int64_t>>("out");
         return ops::upsample_nearest2d(c["x"], out[0], out[1]);
       }},
      {"upsample_bilinear2d",
       [](Call& c) {
         const auto out = c.get<std::vector<std::int64_t>>("out");
         return ops::upsample_bilinear2d(c["x"], out[0], out[1], c.get<bool>("align_corners"));
       }},
      {"mse_loss", loss(ops::mse_loss)},
      {"l1_loss", loss(ops::l1_loss)},
      {"bce_with_logits", loss(ops::bce_with_logits)},
      {"kl_div", loss(ops::kl_div)},
      {"focal_loss", focal_loss},
      {"var", spread(ops::var)},
      {"std", spread(ops::std)},
      {"topk", topk},
      {"index_select",
       [](Call& c) { return ops::index_select(c["x"], c.get<int>("dim"), indices_of(c)); }},
      {"gather", [](Call& c) { return ops::gather(c["x"], c.get<int>("dim"), indices_of(c)); }},
      {"embedding", [](Call& c) { return ops::embedding(indices_of(c), c["table"]); }},
  };
  return ops;
}

struct GoldenCase {
  std::string name;
  Json json;
};

void PrintTo(const GoldenCase& c, std::ostream* out) { *out << c.name; }

std::vector<GoldenCase> all_cases() {
  std::vector<GoldenCase> cases;
  for (const char* file : kFiles) {
    const Json content = golden::load(file);
    for (const auto& [name, json] : content.at("cases").items()) cases.push_back({name, json});
  }
  return cases;
}

class GoldenOps : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenOps, OutputsAndGradientsEqualPyTorch) {
  const auto& [name, json] = GetParam();
  const auto op = table().find(json.at("op"));
  ASSERT_NE(op, table().end()) << "missing in the table of ops: " << json.at("op");

  Call call{"ops/" + name + "/", json.at("attributes"), {}, {}};
  for (const auto& [key, spec] : json.at("inputs").items()) {
    Tensor input = golden::tensor(call.name + key, spec);
    if (json.at("gradients").contains(key)) input.set_requires_grad(true);
    call.inputs[key] = input;
  }
  const Tensor y = op->second(call);
  call.outputs["y"] = y.detach();

  for (const auto& [key, expected] : json.at("outputs").items()) {
    EXPECT_TRUE(golden::is_near(call.name + key, call.outputs[key], expected, kTolerance));
  }
  if (json.at("gradients").empty()) return;
  y.backward(golden::tensor(call.name + "dy", json.at("dy")));
  for (const auto& [key, expected] : json.at("gradients").items()) {
    EXPECT_TRUE(
        golden::is_near(call.name + "d" + key, call.inputs[key].grad(), expected, kTolerance));
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenOps, testing::ValuesIn(all_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(GoldenOps, EveryOpHasACase) {
  std::map<std::string, int> count;
  for (const GoldenCase& each : all_cases()) ++count[each.json.at("op")];
  for (const auto& [name, op] : table()) EXPECT_GT(count[name], 0) << name;
}

// The comparison must be able to fail.
TEST(GoldenFile, DistanceSeesASmallChangeOfOneElement) {
  const Json content = golden::load("nn_ops_products.json");
  const Json& json = content.at("cases").at("matmul");
  const Tensor a = golden::tensor("ops/matmul/a", json.at("inputs").at("a"));
  const Tensor b = golden::tensor("ops/matmul/b", json.at("inputs").at("b"));
  Tensor y = ops::matmul(a, b);
  const Json& expected = json.at("outputs").at("y");
  EXPECT_TRUE(golden::is_near("ops/matmul/y", y, expected, kTolerance));
  const double norm = expected.at("norm");
  y.mutable_data<float>()[11] += static_cast<float>(norm * 1e-4);
  EXPECT_FALSE(golden::is_near("ops/matmul/y", y, expected, kTolerance));
}

// ---- at the edges: bounds, ties, zeros, infinities and NaN (tests/golden/nn_ops_edges.py) ----

/// A number that differs from PyTorch's on purpose; docs/support.md says why.
struct Difference {
  std::string case_name, of;  // "y", "dx", ...
  std::size_t element;
  double hanok;
};

const std::vector<Difference>& differences() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  // For the activations element 0 is -infinity, 7 infinity (its dy is 2) and 8 NaN.
  static const std::vector<Difference> list = {
      {"silu", "y", 0, 0},           {"silu", "dx", 0, 0},
      {"silu", "dx", 7, 2},          {"gelu", "y", 0, 0},
      {"gelu", "dx", 0, 0},          {"gelu", "dx", 7, 2},
      {"relu", "dx", 8, 0},          {"pow_one_and_a_half", "dx", 0, kInfinity},
      {"var", "dx", 9, NAN},  // beside an infinity
      {"var", "dx", 11, NAN},        {"var_biased", "dx", 9, NAN},
      {"var_biased", "dx", 11, NAN},
  };
  return list;
}

std::vector<GoldenCase> edge_cases() {
  std::vector<GoldenCase> cases;
  const Json content = golden::load("nn_ops_edges.json");
  for (const auto& [name, json] : content.at("cases").items()) cases.push_back({name, json});
  return cases;
}

void expect_as_pytorch(const std::string& name, const std::string& of, const Tensor& actual,
                       const Json& json) {
  ASSERT_TRUE(actual.defined()) << of;
  ASSERT_EQ(actual.shape(), golden::shape_of(json.at("shape"))) << of;
  std::vector<double> expected = golden::numbers(json);
  const std::vector<float> values = actual.to_vector();
  for (const Difference& each : differences()) {
    if (each.case_name != name || each.of != of) continue;
    EXPECT_FALSE(golden::is_same_or_near(each.hanok, expected.at(each.element), kTolerance))
        << of << "[" << each.element << "] does not differ";
    expected[each.element] = each.hanok;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(golden::is_same_or_near(values[i], expected[i], kTolerance))
        << of << "[" << i << "] is " << values[i] << ", PyTorch's " << expected[i];
  }
}

class GoldenEdges : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenEdges, OutputsAndGradientsEqualPyTorch) {
  const auto& [name, json] = GetParam();
  const auto op = table().find(json.at("op"));
  ASSERT_NE(op, table().end()) << "missing in the table of ops: " << json.at("op");
  Call call{"ops/" + name + "/", json.at("attributes"), {}, {}};
  for (const auto& [key, input] : json.at("inputs").items()) {
    const std::vector<double> values = golden::numbers(input);
    Tensor tensor = Tensor::from_vector(std::vector<float>(values.begin(), values.end()),
                                        golden::shape_of(input.at("shape")));
    tensor.set_requires_grad(json.at("gradients").contains(key));
    call.inputs[key] = tensor;
  }
  const Tensor y = op->second(call);
  call.outputs["y"] = y.detach();
  for (const auto& [key, expected] : json.at("outputs").items()) {
    expect_as_pytorch(name, key, call.outputs[key], expected);
  }
  if (json.at("gradients").empty()) return;
  std::vector<float> dy;
  for (std::int64_t i = 0; i < y.numel(); ++i) dy.push_back(static_cast<float>(1 + i % 3));
  y.backward(Tensor::from_vector(dy, y.shape()));
  for (const auto& [key, expected] : json.at("gradients").items()) {
    expect_as_pytorch(name, "d" + key, call.inputs[key].grad(), expected);
  }
}

TEST(GoldenEdges, EveryOpHasACase) {
  std::map<std::string, int> count;
  for (const GoldenCase& each : edge_cases()) ++count[each.json.at("op")];
  for (const auto& [name, op] : table()) EXPECT_GT(count[name], 0) << name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenEdges, testing::ValuesIn(edge_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace hanok
