// The graph of a network: the ops of a forward pass, by the module that ran them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/engine/autograd.h"
#include "hanok/engine/tensor.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// All nodes that `output` depends on, in the order in which they were recorded and so ran.
std::vector<Node*> recorded_nodes(const Tensor& output);

struct GraphNode {
  std::string name;                 // "layer1/0/conv1/conv_bn_act", unique
  std::string op;                   // "conv_bn_act"
  std::vector<std::string> inputs;  // names of nodes that come before
  Shape shape;                      // of its output
};

/// The ops of an evaluation pass over one image of `image_size` pixels, in the order in which they
/// ran, after a node "images". Computes that pass on the CPU.
std::vector<GraphNode> network_graph(nn::Module& model, std::int64_t image_size);

}  // namespace hanok::run_report
#pragma GCC visibility pop
