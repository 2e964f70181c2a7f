#include "hanok/apps/run_report/network_graph.h"

#include <algorithm>
#include <map>
#include <set>

namespace hanok::run_report {
namespace {

/// "layer1/0/conv1/" of each module; "" of the root.
std::map<const void*, std::string> scopes_of(nn::Module& model) {
  std::map<const void*, std::string> scopes;
  for (const nn::NamedModule& named : model.named_modules()) {
    std::string scope = named.name.empty() ? "" : named.name + "/";
    std::replace(scope.begin(), scope.end(), '.', '/');
    scopes[named.module] = scope;
  }
  return scopes;
}

}  // namespace

std::vector<Node*> recorded_nodes(const Tensor& output) {
  std::vector<Node*> nodes = {node_of(output).get()};
  std::set<Node*> seen = {nodes.front()};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Edge& edge : nodes[i]->edges) {
      if (edge.node != nullptr && seen.insert(edge.node.get()).second) {
        nodes.push_back(edge.node.get());
      }
    }
  }
  std::sort(nodes.begin(), nodes.end(), [](Node* a, Node* b) { return a->number < b->number; });
  return nodes;
}

std::vector<GraphNode> network_graph(nn::Module& model, std::int64_t image_size) {
  const bool was_training = model.is_training();
  model.eval();
  Tensor images = Tensor::zeros({1, 3, image_size, image_size});
  images.set_requires_grad(true);  // so that ops before the first parameter are recorded as well
  const Tensor logits = model(images);
  model.train(was_training);

  const std::map<const void*, std::string> scopes = scopes_of(model);
  std::vector<GraphNode> graph = {
      {.name = "images", .op = "images", .inputs = {}, .shape = images.shape()}};
  std::map<std::string, int> uses;  // of a name
  std::map<const Node*, std::string> name_of;
  for (const Node* node : recorded_nodes(logits)) {
    const auto scope = scopes.find(node->layer);
    std::string name = (scope == scopes.end() ? "" : scope->second) + node->name();
    if (const int before = uses[name]++; before > 0) name += "_" + std::to_string(before);
    GraphNode entry{.name = name, .op = node->name(), .inputs = {}, .shape = node->output_shape};
    for (const Edge& edge : node->edges) {
      if (edge.node != nullptr) entry.inputs.push_back(name_of.at(edge.node.get()));
      if (edge.leaf != nullptr && edge.leaf.get() == images.id())
        entry.inputs.emplace_back("images");
    }
    name_of[node] = name;
    graph.push_back(std::move(entry));
  }
  return graph;
}

}  // namespace hanok::run_report
