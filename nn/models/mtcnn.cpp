#include "hanok/nn/models/mtcnn.h"

#include <array>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "hanok/engine/ops.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

Conv2dOptions square(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel) {
  return {.in_channels = in_channels, .out_channels = out_channels, .kernel_h = kernel};
}

std::unique_ptr<MaxPool2d> pooling(std::int64_t kernel) {
  return std::make_unique<MaxPool2d>(kernel, /*stride=*/2, /*padding=*/0, PoolSize::Ceil);
}

/// [N,C,H,W] -> [N,W*H*C]. The dense layers were trained on this order: columns first.
Tensor flatten_columns(const Tensor& x) { return ops::flatten(ops::permute(x, {0, 3, 2, 1}), 1); }

std::array<std::pair<const char*, Module*>, 3> named_networks(Mtcnn& mtcnn) {
  return {{{"pnet.", &mtcnn.pnet}, {"rnet.", &mtcnn.rnet}, {"onet.", &mtcnn.onet}}};
}

}  // namespace

Tensor FaceNetwork::forward(const Tensor& x) {
  const FaceOutputs out = outputs(x);
  std::vector<Tensor> parts = {out.probabilities, out.boxes};
  if (out.landmarks.defined()) parts.push_back(out.landmarks);
  return ops::concat(parts, 1);
}

PNet::PNet()
    : conv1(this, "conv1", square(3, 10, 3)),
      prelu1(this, "prelu1", 10),
      pool1(this, "pool1", pooling(2)),
      conv2(this, "conv2", square(10, 16, 3)),
      prelu2(this, "prelu2", 16),
      conv3(this, "conv3", square(16, 32, 3)),
      prelu3(this, "prelu3", 32),
      conv4_1(this, "conv4_1", square(32, 2, 1)),
      conv4_2(this, "conv4_2", square(32, 4, 1)) {}

FaceOutputs PNet::outputs(const Tensor& x) {
  Tensor y = pool1(prelu1(conv1(x)));
  y = prelu2(conv2(y));
  y = prelu3(conv3(y));
  return {.probabilities = ops::softmax(conv4_1(y), 1), .boxes = conv4_2(y)};
}

std::unique_ptr<Module> PNet::clone() const { return clone_as<PNet>(); }

RNet::RNet()
    : conv1(this, "conv1", square(3, 28, 3)),
      prelu1(this, "prelu1", 28),
      pool1(this, "pool1", pooling(3)),
      conv2(this, "conv2", square(28, 48, 3)),
      prelu2(this, "prelu2", 48),
      pool2(this, "pool2", pooling(3)),
      conv3(this, "conv3", square(48, 64, 2)),
      prelu3(this, "prelu3", 64),
      dense4(this, "dense4", 576, 128),
      prelu4(this, "prelu4", 128),
      dense5_1(this, "dense5_1", 128, 2),
      dense5_2(this, "dense5_2", 128, 4) {}

FaceOutputs RNet::outputs(const Tensor& x) {
  Tensor y = pool1(prelu1(conv1(x)));
  y = pool2(prelu2(conv2(y)));
  y = prelu3(conv3(y));
  y = prelu4(dense4(flatten_columns(y)));
  return {.probabilities = ops::softmax(dense5_1(y), 1), .boxes = dense5_2(y)};
}

std::unique_ptr<Module> RNet::clone() const { return clone_as<RNet>(); }

ONet::ONet()
    : conv1(this, "conv1", square(3, 32, 3)),
      prelu1(this, "prelu1", 32),
      pool1(this, "pool1", pooling(3)),
      conv2(this, "conv2", square(32, 64, 3)),
      prelu2(this, "prelu2", 64),
      pool2(this, "pool2", pooling(3)),
      conv3(this, "conv3", square(64, 64, 3)),
      prelu3(this, "prelu3", 64),
      pool3(this, "pool3", pooling(2)),
      conv4(this, "conv4", square(64, 128, 2)),
      prelu4(this, "prelu4", 128),
      dense5(this, "dense5", 1152, 256),
      prelu5(this, "prelu5", 256),
      dense6_1(this, "dense6_1", 256, 2),
      dense6_2(this, "dense6_2", 256, 4),
      dense6_3(this, "dense6_3", 256, 10) {}

FaceOutputs ONet::outputs(const Tensor& x) {
  Tensor y = pool1(prelu1(conv1(x)));
  y = pool2(prelu2(conv2(y)));
  y = pool3(prelu3(conv3(y)));
  y = prelu4(conv4(y));
  y = prelu5(dense5(flatten_columns(y)));
  return {.probabilities = ops::softmax(dense6_1(y), 1),
          .boxes = dense6_2(y),
          .landmarks = dense6_3(y)};
}

std::unique_ptr<Module> ONet::clone() const { return clone_as<ONet>(); }

Mtcnn::Mtcnn() {
  for (const auto& [prefix, network] : named_networks(*this)) network->eval();
}

StateDict Mtcnn::state_dict() {
  StateDict all;
  for (const auto& [prefix, network] : named_networks(*this)) {
    for (const auto& [name, tensor] : network->state_dict()) all.insert(prefix + name, tensor);
  }
  return all;
}

void Mtcnn::load_state_dict(const StateDict& dict) {
  const auto networks = named_networks(*this);
  std::array<StateDict, 3> parts;
  for (const auto& [name, tensor] : dict) {
    std::size_t owner = 0;
    while (owner < networks.size() && name.rfind(networks[owner].first, 0) != 0) ++owner;
    if (owner == networks.size()) {
      throw ValueError(fmt::format("'{}' belongs to none of pnet, rnet and onet", name));
    }
    parts[owner].insert(name.substr(std::string(networks[owner].first).size()), tensor);
  }
  for (std::size_t i = 0; i < networks.size(); ++i) networks[i].second->load_state_dict(parts[i]);
}

}  // namespace hanok::nn
