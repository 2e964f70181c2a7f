// MTCNN's networks with formula weights against facenet-pytorch's (tests/golden/mtcnn_faces.py).
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/mtcnn.h"
#include "tests/golden/golden.h"

namespace hanok::nn {
namespace {

constexpr double kTolerance = 1e-4;

void fill(Module& network, const std::string& prefix) {
  for (const auto& [name, tensor] : network.state_dict()) {
    Tensor target = tensor;
    if (name.rfind("prelu", 0) == 0) {
      golden::fill(target, prefix + name, {golden::spread_of(0.1, 14), 14, 1 << 12});
    } else {
      golden::fill_parameter(target, name, prefix + name);
    }
  }
}

void expect_as_facenet_pytorch(FaceNetwork& network, const std::string& name) {
  const golden::Json json = golden::load("nn_mtcnn.json").at("networks").at(name);
  const std::string prefix = "mtcnn/" + name + "/";
  fill(network, prefix);
  const FaceOutputs out = network.outputs(golden::tensor(prefix + "images", json.at("images")));
  const golden::Json& expected = json.at("outputs");
  EXPECT_EQ(out.landmarks.defined(), expected.contains("landmarks"));
  for (const auto& [key, tensor] :
       {std::pair{"probabilities", out.probabilities}, std::pair{"boxes", out.boxes},
        std::pair{"landmarks", out.landmarks}}) {
    if (!tensor.defined()) continue;
    EXPECT_EQ(tensor.shape(), golden::shape_of(expected.at(key).at("shape"))) << key;
    EXPECT_TRUE(golden::is_near(prefix + key, tensor.detach(), expected.at(key), kTolerance));
  }
}

TEST(Mtcnn, NetworksAnswerAsFacenetPytorchs) {
  Mtcnn mtcnn;
  expect_as_facenet_pytorch(mtcnn.pnet, "pnet");
  expect_as_facenet_pytorch(mtcnn.rnet, "rnet");
  expect_as_facenet_pytorch(mtcnn.onet, "onet");
}

TEST(Mtcnn, LoadsItsOwnStateAndNamesWhatDoesNotBelong) {
  Mtcnn a, b;
  b.load_state_dict(a.state_dict());
  EXPECT_EQ(b.onet.conv4->weight.data().to_vector(), a.onet.conv4->weight.data().to_vector());
  StateDict state = a.state_dict();
  state.insert("other.weight", Tensor::zeros({1}));
  EXPECT_THROW(b.load_state_dict(state), ValueError);
  state.erase("other.weight");
  state.erase("rnet.prelu4.weight");
  EXPECT_THROW(b.load_state_dict(state), ValueError);
}

}  // namespace
}  // namespace hanok::nn
