#include "hanok/engine/ops.h"
#include "tests/nn/random_graph.h"

namespace hanok::random_graph {
namespace {

using Tensors = std::vector<Tensor>;

template <typename T>
T get(const Json& attributes, const char* key) {
  return attributes.at(key).get<T>();
}

Shape sizes_of(const Json& sizes) {
  Shape shape;
  for (const auto& size : sizes) shape.push_back(size.get<std::int64_t>());
  return shape;
}

Tensor indices_of(const Json& a) {
  return Tensor::from_vector(get<std::vector<std::int64_t>>(a, "indices"), sizes_of(a.at("sizes")));
}

Window2d window_of(const Json& a) {
  const auto stride = get<std::vector<std::int64_t>>(a, "stride");
  const auto padding = get<std::vector<std::int64_t>>(a, "padding");
  return {stride[0], stride[1], padding[0], padding[1], 1, 1};
}

Op unary(Tensor (*op)(const Tensor&)) {
  return [op](const Tensors& x, const Json&) { return op(x[0]); };
}
// of x^2 + 1, where every such function is smooth
Op of_positive(Tensor (*op)(const Tensor&)) {
  return [op](const Tensors& x, const Json&) { return op(ops::affine(ops::square(x[0]), 1, 1)); };
}
Op binary(Tensor (*op)(const Tensor&, const Tensor&)) {
  return [op](const Tensors& x, const Json&) { return op(x[0], x[1]); };
}
Op along(Tensor (*op)(const Tensor&, int)) {
  return [op](const Tensors& x, const Json& a) { return op(x[0], get<int>(a, "dim")); };
}
Op reduction(Tensor (*op)(const Tensor&, const std::vector<int>&, bool)) {
  return [op](const Tensors& x, const Json& a) {
    return op(x[0], get<std::vector<int>>(a, "dims"), get<bool>(a, "keep"));
  };
}

ops::BatchNormState batch_norm_state(const Tensor& weight, const Tensor& bias, const Json& a) {
  ops::BatchNormState state;
  state.weight = weight;
  state.bias = bias;
  state.epsilon = get<double>(a, "epsilon");
  state.training = get<bool>(a, "training");
  state.running_mean = Tensor::full(weight.shape(), 0.25);
  state.running_var = Tensor::full(weight.shape(), 1.5);
  return state;
}

void add_elementwise(OpTable& t) {
  t["neg"] = unary(ops::neg);
  t["square"] = unary(ops::square);
  t["abs"] = unary(ops::abs);
  t["relu"] = unary(ops::relu);
  t["sigmoid"] = unary(ops::sigmoid);
  t["tanh"] = unary(ops::tanh);
  t["silu"] = unary(ops::silu);
  t["gelu"] = unary(ops::gelu);
  t["hardswish"] = unary(ops::hardswish);
  t["hardsigmoid"] = unary(ops::hardsigmoid);
  t["sin"] = unary(ops::sin);
  t["cos"] = unary(ops::cos);
  t["erf"] = unary(ops::erf);
  t["exp_tanh"] = [](const Tensors& x, const Json&) { return ops::exp(ops::tanh(x[0])); };
  t["log"] = of_positive(ops::log);
  t["sqrt"] = of_positive(ops::sqrt);
  t["reciprocal"] = of_positive(ops::reciprocal);
  t["pow"] = [](const Tensors& x, const Json& a) {
    return ops::pow(ops::affine(ops::square(x[0]), 1, 1), get<float>(a, "exponent"));
  };
  t["leaky_relu"] = [](const Tensors& x, const Json&) { return ops::leaky_relu(x[0], 0.25F); };
  t["clamp"] = [](const Tensors& x, const Json&) { return ops::clamp(x[0], -0.5F, 0.75F); };
  t["affine"] = [](const Tensors& x, const Json&) { return ops::affine(x[0], -0.5F, 0.25F); };
  t["add"] = binary(ops::add);
  t["sub"] = binary(ops::sub);
  t["mul"] = binary(ops::mul);
  t["maximum"] = binary(ops::maximum);
  t["minimum"] = binary(ops::minimum);
  t["div"] = [](const Tensors& x, const Json&) {
    return ops::div(x[0], ops::affine(ops::square(x[1]), 1, 1));
  };
  t["where"] = [](const Tensors& x, const Json& a) {
    return ops::where(indices_of(a).to(DType::U8), x[0], x[1]);
  };
  t["detach"] = [](const Tensors& x, const Json&) { return x[0].detach(); };
}

void add_reductions(OpTable& t) {
  t["sum"] = reduction(ops::sum);
  t["mean"] = reduction(ops::mean);
  t["var"] = [](const Tensors& x, const Json& a) {
    return ops::var(x[0], get<std::vector<int>>(a, "dims"), get<bool>(a, "keep"), 0);
  };
  t["std"] = [](const Tensors& x, const Json& a) {
    return ops::std(x[0], get<std::vector<int>>(a, "dims"), get<bool>(a, "keep"), 0);
  };
  t["max"] = [](const Tensors& x, const Json& a) {
    return ops::max(x[0], get<int>(a, "dim"), get<bool>(a, "keep")).first;
  };
  t["topk"] = [](const Tensors& x, const Json& a) {
    return ops::topk(x[0], get<std::int64_t>(a, "k"), get<int>(a, "dim")).first;
  };
  t["softmax"] = along(ops::softmax);
  t["log_softmax"] = along(ops::log_softmax);
  t["cross_entropy"] = [](const Tensors& x, const Json& a) {
    ops::CrossEntropyOptions options;
    options.label_smoothing = get<float>(a, "smoothing");
    return ops::cross_entropy(x[0], indices_of(a), options);
  };
  t["mse_loss"] = [](const Tensors& x, const Json&) { return ops::mse_loss(x[0], x[1].detach()); };
}

void add_shapes(OpTable& t) {
  t["reshape"] = [](const Tensors& x, const Json& a) {
    return ops::reshape(x[0], get<std::vector<std::int64_t>>(a, "sizes"));
  };
  t["permute"] = [](const Tensors& x, const Json& a) {
    return ops::permute(x[0], get<std::vector<int>>(a, "order"));
  };
  t["transpose"] = [](const Tensors& x, const Json& a) {
    return ops::transpose(x[0], get<int>(a, "a"), get<int>(a, "b"));
  };
  t["slice"] = [](const Tensors& x, const Json& a) {
    return ops::slice(x[0], get<int>(a, "dim"), get<std::int64_t>(a, "begin"),
                      get<std::int64_t>(a, "end"));
  };
  t["concat"] = [](const Tensors& x, const Json& a) { return ops::concat(x, get<int>(a, "dim")); };
  t["flatten"] = [](const Tensors& x, const Json& a) {
    return ops::flatten(x[0], get<int>(a, "begin"), get<int>(a, "end"));
  };
  t["unsqueeze"] = along(ops::unsqueeze);
  t["squeeze"] = along(ops::squeeze);
  t["index_select"] = [](const Tensors& x, const Json& a) {
    return ops::index_select(x[0], get<int>(a, "dim"), indices_of(a));
  };
  t["gather"] = [](const Tensors& x, const Json& a) {
    return ops::gather(x[0], get<int>(a, "dim"), indices_of(a));
  };
  t["embedding"] = [](const Tensors& x, const Json& a) {
    return ops::embedding(indices_of(a), x[0]);
  };
}

void add_layers(OpTable& t) {
  t["matmul"] = binary(ops::matmul);
  t["linear"] = [](const Tensors& x, const Json&) { return ops::linear(x[0], x[1], x[2]); };
  t["conv2d"] = [](const Tensors& x, const Json& a) {
    return ops::conv2d(x[0], x[1], x[2], window_of(a), get<std::int64_t>(a, "groups"));
  };
  t["conv1d"] = [](const Tensors& x, const Json& a) {
    return ops::conv1d(x[0], x[1], x[2], {get<std::int64_t>(a, "stride"), 1, 1}, 1);
  };
  t["conv_transpose2d"] = [](const Tensors& x, const Json& a) {
    return ops::conv_transpose2d(x[0], x[1], x[2], window_of(a));
  };
  t["conv_bn_act"] = [](const Tensors& x, const Json& a) {
    return ops::conv_bn_act(x[0], {x[1], Tensor(), window_of(a), 1},
                            batch_norm_state(x[2], x[3], a), x.size() > 4 ? x[4] : Tensor(),
                            get<bool>(a, "relu") ? Activation::Relu : Activation::None);
  };
  t["batch_norm"] = [](const Tensors& x, const Json& a) {
    return ops::batch_norm(x[0], batch_norm_state(x[1], x[2], a));
  };
  t["layer_norm"] = [](const Tensors& x, const Json& a) {
    return ops::layer_norm(x[0], get<int>(a, "dims"), x[1], x[2], get<double>(a, "epsilon"));
  };
  t["layer_norm_channels"] = [](const Tensors& x, const Json& a) {
    return ops::layer_norm_channels(x[0], x[1], x[2], get<double>(a, "epsilon"));
  };
  t["group_norm"] = [](const Tensors& x, const Json& a) {
    return ops::group_norm(x[0], get<std::int64_t>(a, "groups"), x[1], x[2],
                           get<double>(a, "epsilon"));
  };
  t["max_pool2d"] = [](const Tensors& x, const Json& a) {
    const auto kernel = get<std::vector<std::int64_t>>(a, "kernel");
    return ops::max_pool2d(x[0], kernel[0], kernel[1], window_of(a));
  };
  t["avg_pool2d"] = [](const Tensors& x, const Json& a) {
    const auto kernel = get<std::vector<std::int64_t>>(a, "kernel");
    return ops::avg_pool2d(x[0], kernel[0], kernel[1], window_of(a));
  };
  const auto out = [](const Json& a, std::size_t i) {
    return get<std::vector<std::int64_t>>(a, "out")[i];
  };
  t["adaptive_avg_pool2d"] = [out](const Tensors& x, const Json& a) {
    return ops::adaptive_avg_pool2d(x[0], out(a, 0), out(a, 1));
  };
  t["upsample_nearest2d"] = [out](const Tensors& x, const Json& a) {
    return ops::upsample_nearest2d(x[0], out(a, 0), out(a, 1));
  };
  t["upsample_bilinear2d"] = [out](const Tensors& x, const Json& a) {
    return ops::upsample_bilinear2d(x[0], out(a, 0), out(a, 1), get<bool>(a, "align"));
  };
}

}  // namespace

const OpTable& ops_of_hanok() {
  static const OpTable table = [] {
    OpTable t;
    add_elementwise(t);
    add_reductions(t);
    add_shapes(t);
    add_layers(t);
    return t;
  }();
  return table;
}

}  // namespace hanok::random_graph
