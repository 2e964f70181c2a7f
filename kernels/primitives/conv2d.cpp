// What profiles report about convolutions: the algorithm is the backend's choice.
#include "hanok/kernels/primitives/conv2d.h"

#include "hanok/kernels/backend.h"

namespace hanok {
namespace {

std::string text_of(const Conv2dShape& shape) {
  return shape.input_shape().to_string() + " * " + shape.weight_shape().to_string() + " / " +
         std::to_string(shape.window.stride_h);
}

double flop_of(const Conv2dShape& shape, const Epilogue& epilogue) {
  return shape.flop() +
         epilogue.flop_per_output() * static_cast<double>(shape.output_shape().numel());
}

}  // namespace

double Conv2dPack::bytes(const Backend& backend) const {
  return bytes_of(w) + static_cast<double>(backend.conv2d_packed_bytes(pass, shape));
}
std::string Conv2dPack::variant(const Backend& backend) const {
  return backend.conv2d_algorithm(pass, shape);
}

std::string Conv2dForward::shape_text() const { return text_of(shape); }
std::string Conv2dForward::variant(const Backend& backend) const {
  return backend.conv2d_algorithm(Conv2dPass::Forward, shape);
}

std::string Conv2dBackwardData::shape_text() const { return text_of(shape); }
std::string Conv2dBackwardData::variant(const Backend& backend) const {
  return backend.conv2d_algorithm(Conv2dPass::BackwardData, shape);
}

std::string Conv2dBackwardWeights::shape_text() const { return text_of(shape); }
std::string Conv2dBackwardWeights::variant(const Backend& backend) const {
  return backend.conv2d_algorithm(Conv2dPass::BackwardWeights, shape);
}

double InvertedResidual::flop() const {
  return (shape.expands ? flop_of(shape.expand(), expand.epilogue) : 0) +
         flop_of(shape.depthwise(), depthwise.epilogue) +
         flop_of(shape.project(), project.epilogue);
}
std::string InvertedResidual::shape_text() const {
  return x.shape.to_string() + " -> " + std::to_string(shape.hidden) + " -> " + y.shape.to_string();
}

}  // namespace hanok
