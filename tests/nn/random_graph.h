// Small random graphs of ops, for comparison with PyTorch: drawn, run, shrunk and printed here;
// random_graph.py runs the same graphs in PyTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"

namespace hanok::random_graph {

using Json = nlohmann::json;

/// One op, or a leaf: a tensor of the golden formula, {"name", "spread", "bits", "center", "grad",
/// "odd"}. Of an odd one some elements are infinities and NaN.
struct Step {
  std::string op;
  std::vector<int> inputs;  // earlier steps
  Json attributes;
  Shape shape;  // of the result
};

/// The loss is the sum over all unused steps' results, each weighted by a formula tensor.
struct Graph {
  std::uint64_t seed = 0;
  std::vector<Step> steps;
};

using Op = std::function<Tensor(const std::vector<Tensor>& inputs, const Json& attributes)>;
using OpTable = std::map<std::string, Op>;

/// hanok's ops under the names that random_graph.py uses too.
const OpTable& ops_of_hanok();

/// A graph of up to `size` steps besides its leaves, determined by the seed.
Graph draw(std::uint64_t seed, int size);

/// The tensor of a leaf, without a gradient.
Tensor leaf_tensor(const Step& leaf);

struct Results {
  std::vector<std::vector<double>> values;     // of each step, in logical order
  std::vector<std::vector<double>> gradients;  // of each step; empty if there is none
};
/// Forward, and backward if anything requires a gradient.
Results run(const Graph& graph, const OpTable& table = ops_of_hanok());

/// For random_graph.py.
Json to_json(const Graph& graph);

/// One line per step.
std::string to_string(const Graph& graph);

/// Every graph that is one step simpler: without a step and its users, with a leaf replacing a
/// step, with a step bypassed, or with a leaf that needs no gradient.
std::vector<Graph> simpler(const Graph& graph);

/// The first difference ("t3: ..."), or "".
std::string difference(const Graph& graph, const Results& hanok, const Results& other);

}  // namespace hanok::random_graph
