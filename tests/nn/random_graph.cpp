#include "tests/nn/random_graph.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/engine/ops.h"
#include "tests/golden/golden.h"

namespace hanok::random_graph {
namespace {

constexpr int kWeightBits = 12;

std::vector<double> doubles(const Tensor& tensor) {
  const auto values = tensor.to_vector();
  return {values.begin(), values.end()};
}

std::vector<bool> steps_read(const Graph& graph) {
  std::vector<bool> read(graph.steps.size());
  for (const Step& step : graph.steps) {
    for (const int i : step.inputs) read[static_cast<std::size_t>(i)] = true;
  }
  return read;
}

// The graph without the dropped steps and without unused leaves.
Graph keep(Graph graph, std::vector<bool> kept) {
  std::vector<bool> read(graph.steps.size());
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    if (!kept[i]) continue;
    for (const int input : graph.steps[i].inputs) read[static_cast<std::size_t>(input)] = true;
  }
  Graph result{graph.seed, {}};
  std::vector<int> place(graph.steps.size());
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    if (!kept[i] || (graph.steps[i].op == "leaf" && !read[i])) continue;
    place[i] = static_cast<int>(result.steps.size());
    Step step = std::move(graph.steps[i]);
    for (int& input : step.inputs) input = place[static_cast<std::size_t>(input)];
    result.steps.push_back(std::move(step));
  }
  return result;
}

std::string first_values(const std::vector<double>& values) {
  const std::vector<double> few(values.begin(),
                                values.begin() + std::min<std::ptrdiff_t>(std::ssize(values), 6));
  return fmt::format("[{}{}]", fmt::join(few, ", "), values.size() > few.size() ? ", ..." : "");
}

// "" if `a` (single precision) equals `b` (double) up to rounding, and infinities and NaN are in
// the same places. Sums may cancel, hence the absolute term: inputs are of size 1.
std::string distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) {
    return fmt::format("{} elements in hanok, {} in PyTorch", a.size(), b.size());
  }
  constexpr double kRelative = 1e-4, kAbsolute = 2e-5;
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
      return fmt::format("element {} is {}, in PyTorch {}", i, a[i], b[i]);
    }
    error += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  const double allowed =
      kRelative * std::sqrt(norm) + kAbsolute * std::sqrt(static_cast<double>(a.size()));
  if (std::sqrt(error) <= allowed) return "";
  return fmt::format("off by {:.3g}, hanok {}, PyTorch {}", std::sqrt(error), first_values(a),
                     first_values(b));
}

}  // namespace

Tensor leaf_tensor(const Step& leaf) {
  const Json& a = leaf.attributes;
  const auto name = a.at("name").get<std::string>();
  Tensor tensor = golden::tensor(name, leaf.shape, a.at("spread"), a.at("bits"), a.at("center"));
  if (!a.at("odd").get<bool>()) return tensor;
  // About one element in ten, as random_graph.py does.
  constexpr std::uint32_t kEvery = 10;
  const float odd[] = {INFINITY, -INFINITY, NAN};
  std::vector<float> values = tensor.to_vector();
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const std::uint32_t hash = golden::element_hash(golden::name_hash(name + "#odd"), i);
    if (hash % kEvery == 0) values[i] = odd[hash / kEvery % 3];
  }
  return Tensor::from_vector(values, leaf.shape);
}

Results run(const Graph& graph, const OpTable& table) {
  std::vector<Tensor> tensors;
  for (const Step& step : graph.steps) {
    const Json& a = step.attributes;
    if (step.op == "leaf") {
      tensors.push_back(leaf_tensor(step));
      tensors.back().set_requires_grad(a.at("grad"));
      continue;
    }
    std::vector<Tensor> inputs;
    for (const int i : step.inputs) inputs.push_back(tensors[static_cast<std::size_t>(i)]);
    tensors.push_back(table.at(step.op)(inputs, a));
  }
  Results results;
  for (const Tensor& tensor : tensors) results.values.push_back(doubles(tensor));
  const std::vector<bool> read = steps_read(graph);
  Tensor loss;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (read[i] || !tensors[i].requires_grad()) continue;
    const Tensor weight =
        golden::tensor(fmt::format("{}/weight{}", graph.seed, i), tensors[i].shape(),
                       golden::spread_of(1, kWeightBits), kWeightBits);
    const Tensor term = ops::sum(ops::mul(tensors[i], weight));
    loss = loss.defined() ? ops::add(loss, term) : term;
  }
  if (loss.defined()) loss.backward();
  for (const Tensor& tensor : tensors) {
    const Tensor grad = tensor.is_leaf() ? tensor.grad() : Tensor();
    results.gradients.push_back(grad.defined() ? doubles(grad) : std::vector<double>());
  }
  return results;
}

Json to_json(const Graph& graph) {
  Json steps = Json::array();
  for (const Step& step : graph.steps) {
    steps.push_back({{"op", step.op},
                     {"inputs", step.inputs},
                     {"attributes", step.attributes},
                     {"shape", std::vector<std::int64_t>(step.shape.begin(), step.shape.end())}});
  }
  return {{"seed", graph.seed},
          {"steps", steps},
          {"weight", {golden::spread_of(1, kWeightBits), kWeightBits}}};
}

std::string to_string(const Graph& graph) {
  std::string text;
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    const Step& step = graph.steps[i];
    std::vector<std::string> arguments;
    for (const int input : step.inputs) arguments.push_back(fmt::format("t{}", input));
    if (step.op == "leaf") {
      arguments.emplace_back(step.attributes.at("grad").get<bool>() ? "gradient" : "no gradient");
    } else {
      for (const auto& [key, value] : step.attributes.items()) {
        arguments.push_back(key + "=" + value.dump());
      }
    }
    text += fmt::format("  t{} = {}({})  # {}\n", i, step.op, fmt::join(arguments, ", "),
                        step.shape.to_string());
  }
  return text;
}

std::vector<Graph> simpler(const Graph& graph) {
  const std::size_t size = graph.steps.size();
  std::vector<Graph> results;
  for (std::size_t i = size; i-- > 0;) {
    if (graph.steps[i].op == "leaf") continue;
    std::vector<bool> kept(size, true);
    kept[i] = false;
    for (std::size_t k = i + 1; k < size; ++k) {
      for (const int input : graph.steps[k].inputs) {
        if (!kept[static_cast<std::size_t>(input)]) kept[k] = false;
      }
    }
    results.push_back(keep(graph, kept));

    Graph with_leaf = graph;
    with_leaf.steps[i] = {"leaf",
                          {},
                          {{"name", fmt::format("{}/instead{}", graph.seed, i)},
                           {"spread", golden::spread_of(1, kWeightBits)},
                           {"bits", kWeightBits},
                           {"center", 0},
                           {"grad", true},
                           {"odd", false}},
                          graph.steps[i].shape};
    results.push_back(keep(with_leaf, std::vector<bool>(size, true)));

    for (const int input : graph.steps[i].inputs) {
      if (graph.steps[static_cast<std::size_t>(input)].shape != graph.steps[i].shape) continue;
      Graph without = graph;
      for (Step& step : without.steps) {
        std::replace(step.inputs.begin(), step.inputs.end(), static_cast<int>(i), input);
      }
      std::vector<bool> all_but(size, true);
      all_but[i] = false;
      results.push_back(keep(without, all_but));
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (graph.steps[i].op != "leaf" || !graph.steps[i].attributes.at("grad").get<bool>()) continue;
    results.push_back(graph);
    results.back().steps[i].attributes["grad"] = false;
  }
  return results;
}

std::string difference(const Graph& graph, const Results& hanok, const Results& other) {
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    const std::string found = distance(hanok.values[i], other.values[i]);
    if (!found.empty()) return fmt::format("t{}: {}", i, found);
  }
  for (std::size_t i = 0; i < graph.steps.size(); ++i) {
    if (graph.steps[i].op != "leaf") continue;
    const std::string found = distance(hanok.gradients[i], other.gradients[i]);
    if (!found.empty()) return fmt::format("gradient of t{}: {}", i, found);
  }
  return "";
}

}  // namespace hanok::random_graph
