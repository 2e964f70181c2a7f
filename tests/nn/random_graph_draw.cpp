// Draws random graphs: each maker adds one op to the graph, with inputs that fit it.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "hanok/engine/autograd.h"
#include "tests/golden/golden.h"
#include "tests/nn/random_graph.h"

namespace hanok::random_graph {
namespace {

constexpr double kLargestValue = 100;  // larger values are dropped: squares would overflow
constexpr int kBits = 20;

/// Whether hanok and PyTorch agree on infinities and NaN, which docs/support.md says of all but a
/// few ops. Of products and images neither says in which order it sums, nor which zeros it
/// multiplies.
bool takes_odd_values(const std::string& op) {
  const char* const ops[] = {
      "neg",     "square",       "abs",    "sigmoid",   "tanh",       "erf",       "exp_tanh",
      "log",     "sqrt",         "clamp",  "affine",    "leaky_relu", "add",       "sub",
      "mul",     "where",        "sum",    "mean",      "max",        "softmax",   "log_softmax",
      "reshape", "permute",      "slice",  "concat",    "flatten",    "transpose", "unsqueeze",
      "squeeze", "index_select", "gather", "embedding", "detach"};
  return std::any_of(std::begin(ops), std::end(ops), [&](const char* each) { return op == each; });
}

class Drawer {
 public:
  /// One graph in five has sizes larger than a vector register; the others are small and readable.
  /// One in seven has infinities and NaN.
  explicit Drawer(std::uint64_t seed) : random_(seed), large_(seed % 5 == 0), odd_(seed % 7 == 0) {
    graph_.seed = seed;
  }

  /// 0 to n-1.
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
  }
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  const Shape& shape(int step) const { return graph_.steps[static_cast<std::size_t>(step)].shape; }

  /// Some leaves are quarters, from -3 to 3 if of size 1: exact zeros and ties, on the bounds of
  /// clamp, hardswish and the like.
  int leaf(const Shape& shape, double stddev = 1, double center = 0) {
    Step step{"leaf", {}, {}, shape};
    const int bits = chance(35) ? 2 : kBits;
    const std::int64_t spread = bits == 2 && stddev == 1 ? 12 : golden::spread_of(stddev, bits);
    step.attributes = {
        {"name", std::to_string(graph_.seed) + "/leaf" + std::to_string(graph_.steps.size())},
        {"spread", spread},
        {"bits", bits},
        {"center", static_cast<std::int64_t>(std::ldexp(center, bits))},
        {"grad", chance(75)},
        {"odd", odd_}};
    graph_.steps.push_back(step);
    values_.push_back(leaf_tensor(step));
    return static_cast<int>(graph_.steps.size()) - 1;
  }

  /// A step with a matching shape, or -1. Later steps are more likely, so that chains grow.
  template <typename Fits>
  int find(const Fits& fits) {
    std::vector<int> found;
    for (int i = 0; i < static_cast<int>(graph_.steps.size()); ++i) {
      if (fits(shape(i))) found.push_back(i);
    }
    if (found.empty()) return -1;
    const auto size = static_cast<std::int64_t>(found.size());
    return found[static_cast<std::size_t>(std::max(below(size), below(size)))];
  }
  int any() {
    return find([](const Shape&) { return true; });
  }
  int any_with_dims() {
    const int found = find([](const Shape& s) { return s.rank() > 0; });
    return found >= 0 ? found : leaf(random_shape(2));
  }
  int of_rank(int rank) {
    const int found = chance(85) ? find([&](const Shape& s) { return s.rank() == rank; }) : -1;
    return found >= 0 ? found : leaf(random_shape(rank));
  }
  /// A step of this shape, or a new leaf: sometimes the same tensor is used several times.
  int of_shape(const Shape& wanted, double stddev = 1, double center = 0) {
    const int found = chance(40) ? find([&](const Shape& s) { return s == wanted; }) : -1;
    return found >= 0 ? found : leaf(wanted, stddev, center);
  }
  Shape random_shape(int rank) {
    Shape result;
    for (int i = 0; i < rank; ++i) result.push_back(between(1, rank >= 4 ? 3 : 4));
    if (large_ && rank > 0) result[static_cast<int>(below(rank))] = between(5, 19);
    return result;
  }
  /// Output channels or features.
  std::int64_t channels() { return between(1, large_ ? 19 : 4); }

  /// Adds the step if its result and values are small enough.
  void add(const std::string& op, const std::vector<int>& inputs,
           Json attributes = Json::object()) {
    if (odd_ && !takes_odd_values(op)) return;
    const NoGrad no_grad;
    std::vector<Tensor> tensors;
    for (const int i : inputs) tensors.push_back(values_[static_cast<std::size_t>(i)]);
    const Tensor y = ops_of_hanok().at(op)(tensors, attributes);
    if (y.numel() == 0 || y.numel() > (large_ ? 1500 : 240)) return;
    for (const float v : y.to_vector()) {
      const bool may_be = odd_ && !std::isfinite(v);
      if (!may_be && !(std::abs(v) <= kLargestValue)) return;
    }
    graph_.steps.push_back({op, inputs, std::move(attributes), y.shape()});
    values_.push_back(y);
  }

  std::size_t size() const { return graph_.steps.size(); }
  Graph graph_;

 private:
  std::mt19937_64 random_;
  bool large_, odd_;
  std::vector<Tensor> values_;
};

const char* const kUnary[] = {"neg",  "square",     "abs",        "relu",      "sigmoid",
                              "tanh", "silu",       "gelu",       "hardswish", "hardsigmoid",
                              "sin",  "cos",        "erf",        "exp_tanh",  "log",
                              "sqrt", "reciprocal", "leaky_relu", "clamp",     "affine"};
const char* const kBinary[] = {"add", "sub", "mul", "div", "maximum", "minimum"};

void unary(Drawer& d) {
  if (d.chance(5)) {
    const double exponents[] = {0.5, 2, -1, 3};
    d.add("pow", {d.any()}, {{"exponent", exponents[d.below(4)]}});
    return;
  }
  if (d.chance(4)) return d.add("detach", {d.any()});
  d.add(kUnary[d.below(std::size(kUnary))], {d.any()});
}

bool broadcast(const Shape& a, const Shape& b) {
  for (int i = 1; i <= std::min(a.rank(), b.rank()); ++i) {
    const std::int64_t x = a[a.rank() - i], y = b[b.rank() - i];
    if (x != y && x != 1 && y != 1) return false;
  }
  return true;
}

// A shape that broadcasts to `s`: without some leading dimensions, with some sizes one.
Shape part_of(Drawer& d, const Shape& s) {
  Shape result;
  const auto first = static_cast<int>(d.below(s.rank() + 1));
  for (int i = d.chance(60) ? 0 : first; i < s.rank(); ++i) {
    result.push_back(d.chance(35) ? 1 : s[i]);
  }
  return result;
}

std::pair<int, int> broadcast_pair(Drawer& d) {
  int a = d.any();
  int b = d.chance(60) ? d.find([&](const Shape& s) { return broadcast(d.shape(a), s); }) : -1;
  if (b < 0) b = d.leaf(part_of(d, d.shape(a)));
  if (d.chance(50)) std::swap(a, b);
  return {a, b};
}

void binary(Drawer& d) {
  const auto [a, b] = broadcast_pair(d);
  d.add(kBinary[d.below(std::size(kBinary))], {a, b});
}

std::vector<std::int64_t> to_vector(const Shape& s) { return {s.begin(), s.end()}; }

Json indices(Drawer& d, const Shape& sizes, std::int64_t limit) {
  std::vector<std::int64_t> drawn;
  for (std::int64_t i = 0; i < sizes.numel(); ++i) drawn.push_back(d.below(limit));
  return {{"indices", drawn}, {"sizes", to_vector(sizes)}};
}

void where(Drawer& d) {
  const auto [a, b] = broadcast_pair(d);
  d.add("where", {a, b}, indices(d, part_of(d, d.shape(a)), 2));
}

int any_dim(Drawer& d, int step) { return static_cast<int>(d.below(d.shape(step).rank())); }

void reduce(Drawer& d) {
  const int x = d.any();
  std::vector<int> dims;
  for (int i = 0; i < d.shape(x).rank(); ++i) {
    if (d.chance(50)) dims.push_back(i);
  }
  const char* const ops[] = {"sum", "mean", "var", "std"};
  d.add(ops[d.below(4)], {x}, {{"dims", dims}, {"keep", d.chance(50)}});
}

void along_dim(Drawer& d) {
  const int x = d.any_with_dims();
  const int dim = any_dim(d, x);
  switch (d.below(4)) {
    case 0:
      return d.add("softmax", {x}, {{"dim", dim}});
    case 1:
      return d.add("log_softmax", {x}, {{"dim", dim}});
    case 2:
      return d.add("max", {x}, {{"dim", dim}, {"keep", d.chance(50)}});
    default:
      return d.add("topk", {x}, {{"dim", dim}, {"k", d.between(1, d.shape(x)[dim])}});
  }
}

void loss(Drawer& d) {
  const int x = d.of_rank(2);
  if (d.chance(50)) {
    Json a = indices(d, {d.shape(x)[0]}, d.shape(x)[1]);
    a["smoothing"] = d.chance(50) ? 0.0 : 0.125;
    return d.add("cross_entropy", {x}, a);
  }
  d.add("mse_loss", {x, d.of_shape(d.shape(x))});
}

void reshape(Drawer& d) {
  const int x = d.any();
  std::int64_t left = d.shape(x).numel();
  Shape sizes;
  const std::int64_t rank = d.between(1, 5);
  for (std::int64_t i = 1; i < rank; ++i) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t n = 1; n <= left; ++n) {
      if (left % n == 0) divisors.push_back(n);
    }
    const std::int64_t size =
        divisors[static_cast<std::size_t>(d.below(static_cast<std::int64_t>(divisors.size())))];
    sizes.push_back(size);
    left /= size;
  }
  sizes.push_back(left);
  d.add("reshape", {x}, {{"sizes", to_vector(sizes)}});
}

void move_dims(Drawer& d) {
  const int x = d.any_with_dims();
  const int rank = d.shape(x).rank();
  switch (d.below(5)) {
    case 0: {
      std::vector<int> order;
      for (int i = 0; i < rank; ++i) {
        order.insert(order.begin() + static_cast<std::ptrdiff_t>(d.below(i + 1)), i);
      }
      return d.add("permute", {x}, {{"order", order}});
    }
    case 1:
      return d.add("transpose", {x}, {{"a", any_dim(d, x)}, {"b", any_dim(d, x)}});
    case 2: {
      const int begin = any_dim(d, x);
      return d.add("flatten", {x}, {{"begin", begin}, {"end", d.between(begin, rank - 1)}});
    }
    case 3:
      if (rank < 5) d.add("unsqueeze", {x}, {{"dim", d.below(rank + 1)}});
      return;
    default: {
      const int dim = any_dim(d, x);
      if (d.shape(x)[dim] == 1) d.add("squeeze", {x}, {{"dim", dim}});
    }
  }
}

void pick_parts(Drawer& d) {
  const int x = d.any_with_dims();
  const int dim = any_dim(d, x);
  const std::int64_t size = d.shape(x)[dim];
  switch (d.below(5)) {
    case 0: {
      const std::int64_t begin = d.below(size);
      return d.add("slice", {x},
                   {{"dim", dim}, {"begin", begin}, {"end", d.between(begin + 1, size)}});
    }
    case 1: {
      Shape other = d.shape(x);
      other[dim] = d.between(1, 3);
      std::vector<int> parts{x, d.of_shape(other)};
      if (d.chance(30)) parts.push_back(x);
      return d.add("concat", parts, {{"dim", dim}});
    }
    case 2: {
      Json a = indices(d, {d.between(1, 4)}, size);
      a["dim"] = dim;
      return d.add("index_select", {x}, a);
    }
    case 3: {
      Shape sizes = d.shape(x);
      sizes[dim] = d.between(1, 3);
      Json a = indices(d, sizes, size);
      a["dim"] = dim;
      return d.add("gather", {x}, a);
    }
    default: {
      const int table = d.of_rank(2);
      d.add("embedding", {table},
            indices(d, d.random_shape(static_cast<int>(d.between(1, 2))), d.shape(table)[0]));
    }
  }
}

void product(Drawer& d) {
  const std::int64_t out = d.channels();
  if (d.chance(40)) {
    const int x = d.of_rank(2);
    return d.add("linear", {x, d.of_shape({out, d.shape(x)[1]}, 0.5), d.of_shape({out})});
  }
  const int rank = d.chance(50) ? 2 : 3;
  const int a = d.of_rank(rank);
  Shape b = d.shape(a);
  b[rank - 2] = d.shape(a)[rank - 1];
  b[rank - 1] = out;
  d.add("matmul", {a, d.of_shape(b, 0.5)});
}

// Kernel, stride and padding that fit an image side of `size`.
struct Side {
  std::int64_t kernel, stride, padding;
};
Side side(Drawer& d, std::int64_t size) {
  Side s{};
  s.kernel = d.between(1, 3);
  s.stride = d.between(1, 2);
  s.padding = d.below(s.kernel / 2 + 1);
  while (s.kernel > size + 2 * s.padding) --s.kernel;
  s.padding = std::min(s.padding, s.kernel / 2);
  return s;
}
Json windows(const Side& h, const Side& w) {
  return {{"kernel", {h.kernel, w.kernel}},
          {"stride", {h.stride, w.stride}},
          {"padding", {h.padding, w.padding}}};
}
bool fits(const Side& s, std::int64_t size) { return size + 2 * s.padding >= s.kernel; }

void convolution(Drawer& d) {
  const std::int64_t out = d.channels();
  if (d.chance(20)) {
    const int x = d.of_rank(3);
    const std::int64_t kernel = d.between(1, std::min<std::int64_t>(3, d.shape(x)[2] + 2));
    return d.add("conv1d", {x, d.of_shape({out, d.shape(x)[1], kernel}, 0.5), d.of_shape({out})},
                 {{"stride", d.between(1, 2)}});
  }
  const int x = d.of_rank(4);
  const Shape s = d.shape(x);
  const Side h = side(d, s[2]), w = side(d, s[3]);
  if (!fits(h, s[2]) || !fits(w, s[3])) return;
  Json a = windows(h, w);
  switch (d.below(3)) {
    case 0: {
      const bool depthwise = d.chance(30);
      const std::int64_t groups = depthwise ? s[1] : 1, k = depthwise ? s[1] : out;
      a["groups"] = groups;
      return d.add("conv2d",
                   {x, d.of_shape({k, s[1] / groups, h.kernel, w.kernel}, 0.5), d.of_shape({k})},
                   a);
    }
    case 1:
      if ((s[2] - 1) * h.stride - 2 * h.padding + h.kernel < 1) return;
      if ((s[3] - 1) * w.stride - 2 * w.padding + w.kernel < 1) return;
      return d.add("conv_transpose2d",
                   {x, d.of_shape({s[1], out, h.kernel, w.kernel}, 0.5), d.of_shape({out})}, a);
    default: {
      const std::int64_t p = (s[2] + 2 * h.padding - h.kernel) / h.stride + 1;
      const std::int64_t q = (s[3] + 2 * w.padding - w.kernel) / w.stride + 1;
      a["training"] = d.chance(50) && s[0] * p * q > 1;
      a["relu"] = d.chance(50);
      a["epsilon"] = 0.125;
      std::vector<int> inputs{x, d.of_shape({out, s[1], h.kernel, w.kernel}, 0.5),
                              d.of_shape({out}), d.of_shape({out})};
      if (d.chance(50)) inputs.push_back(d.of_shape({s[0], out, p, q}));
      return d.add("conv_bn_act", inputs, a);
    }
  }
}

void norm(Drawer& d) {
  Json a{{"epsilon", 0.125}};
  switch (d.below(4)) {
    case 0: {
      const int x = d.of_rank(d.chance(50) ? 2 : 4);
      const std::int64_t channels = d.shape(x)[1];
      a["training"] = d.chance(50) && d.shape(x).numel() > channels;
      return d.add("batch_norm", {x, d.of_shape({channels}), d.of_shape({channels})}, a);
    }
    case 1: {
      const int x = d.any_with_dims();
      const int rank = d.shape(x).rank(), dims = static_cast<int>(d.between(1, rank));
      const Shape last = Shape::from(d.shape(x).begin() + rank - dims, dims);
      a["dims"] = dims;
      return d.add("layer_norm", {x, d.of_shape(last), d.of_shape(last)}, a);
    }
    case 2: {
      const int x = d.of_rank(4);
      const Shape channels{d.shape(x)[1]};
      return d.add("layer_norm_channels", {x, d.of_shape(channels), d.of_shape(channels)}, a);
    }
    default: {
      const int x = d.of_rank(static_cast<int>(d.between(2, 4)));
      const std::int64_t channels = d.shape(x)[1];
      const std::int64_t groups = d.between(1, channels);
      if (channels % groups != 0 || d.shape(x).numel() / (d.shape(x)[0] * groups) < 2) return;
      a["groups"] = groups;
      return d.add("group_norm", {x, d.of_shape({channels}), d.of_shape({channels})}, a);
    }
  }
}

void image(Drawer& d) {
  const int x = d.of_rank(4);
  const Shape s = d.shape(x);
  if (d.chance(50)) {
    const Side h = side(d, s[2]), w = side(d, s[3]);
    if (!fits(h, s[2]) || !fits(w, s[3])) return;
    return d.add(d.chance(50) ? "max_pool2d" : "avg_pool2d", {x}, windows(h, w));
  }
  Json a{{"out", {d.between(1, 4), d.between(1, 4)}}, {"align", d.chance(50)}};
  const char* const ops[] = {"adaptive_avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d"};
  d.add(ops[d.below(3)], {x}, a);
}

}  // namespace

Graph draw(std::uint64_t seed, int size) {
  struct Maker {
    int weight;
    void (*make)(Drawer&);
  };
  constexpr Maker kMakers[] = {{22, unary},      {18, binary}, {3, where},       {8, reduce},
                               {7, along_dim},   {3, loss},    {7, reshape},     {12, move_dims},
                               {10, pick_parts}, {8, product}, {8, convolution}, {8, norm},
                               {6, image}};
  int total = 0;
  for (const Maker& maker : kMakers) total += maker.weight;
  Drawer d(seed);
  d.leaf(d.random_shape(static_cast<int>(d.between(0, 5))));
  const int steps = static_cast<int>(d.between(1, size));
  for (int i = 0; i < steps; ++i) {
    std::int64_t drawn = d.below(total);
    for (const Maker& maker : kMakers) {
      drawn -= maker.weight;
      if (drawn >= 0) continue;
      maker.make(d);
      break;
    }
  }
  return std::move(d.graph_);
}

}  // namespace hanok::random_graph
