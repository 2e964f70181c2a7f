// The three networks of MTCNN, which finds faces (Zhang, Zhang, Li and Qiao, Joint Face Detection
// and Alignment Using Multitask Cascaded Convolutional Networks, 2016), with the parameter names of
// facenet-pytorch. Inputs are RGB values (v - 127.5) / 128.
#pragma once

#include <memory>
#include <string>

#include "hanok/nn/layers.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// What a network says of each place that it looks at; dimension 1 has the sizes given here.
struct FaceOutputs {
  Tensor probabilities{};  // 2: of no face, of a face
  Tensor boxes{};          // 4: shifts of left, top, right and bottom, in sides of the box
  Tensor landmarks{};      // 10: x of five points, then y, in sides of the box; undefined: none
};

/// A network of the cascade.
class FaceNetwork : public Module {
 public:
  virtual FaceOutputs outputs(const Tensor& x) = 0;
  /// The outputs side by side, along dimension 1.
  Tensor forward(const Tensor& x) override;
};

/// Proposes boxes: x [N,3,H,W] of at least 12x12 -> [N,.,P,Q], one output for each window of 12x12
/// pixels at a stride of 2.
class PNet : public FaceNetwork {
 public:
  PNet();
  FaceOutputs outputs(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "PNet"; }

  Child<Conv2d> conv1;
  Child<PReLU> prelu1;
  Child<MaxPool2d> pool1;
  Child<Conv2d> conv2;
  Child<PReLU> prelu2;
  Child<Conv2d> conv3;
  Child<PReLU> prelu3;
  Child<Conv2d> conv4_1;  // scores of no face and of a face
  Child<Conv2d> conv4_2;  // boxes
};

/// Refines boxes: x [N,3,24,24] -> [N,.].
class RNet : public FaceNetwork {
 public:
  RNet();
  FaceOutputs outputs(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "RNet"; }

  Child<Conv2d> conv1;
  Child<PReLU> prelu1;
  Child<MaxPool2d> pool1;
  Child<Conv2d> conv2;
  Child<PReLU> prelu2;
  Child<MaxPool2d> pool2;
  Child<Conv2d> conv3;
  Child<PReLU> prelu3;
  Child<Linear> dense4;
  Child<PReLU> prelu4;
  Child<Linear> dense5_1;  // scores of no face and of a face
  Child<Linear> dense5_2;  // boxes
};

/// Refines boxes and finds landmarks: x [N,3,48,48] -> [N,.].
class ONet : public FaceNetwork {
 public:
  ONet();
  FaceOutputs outputs(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ONet"; }

  Child<Conv2d> conv1;
  Child<PReLU> prelu1;
  Child<MaxPool2d> pool1;
  Child<Conv2d> conv2;
  Child<PReLU> prelu2;
  Child<MaxPool2d> pool2;
  Child<Conv2d> conv3;
  Child<PReLU> prelu3;
  Child<MaxPool2d> pool3;
  Child<Conv2d> conv4;
  Child<PReLU> prelu4;
  Child<Linear> dense5;
  Child<PReLU> prelu5;
  Child<Linear> dense6_1;  // scores of no face and of a face
  Child<Linear> dense6_2;  // boxes
  Child<Linear> dense6_3;  // landmarks
};

/// The cascade's networks, in evaluation mode.
struct Mtcnn {
  Mtcnn();
  PNet pnet;
  RNet rnet;
  ONet onet;

  /// All parameters: "pnet.conv1.weight". Tensors share storage with the networks.
  StateDict state_dict();
  /// Throws ValueError unless names and shapes are those of state_dict().
  void load_state_dict(const StateDict& dict);
};

}  // namespace hanok::nn
#pragma GCC visibility pop
