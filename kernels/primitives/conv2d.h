// Convolutions. On CUDA x, y and their gradients may be f16 or bf16, w alike, summed in f32; the
// gradient of weights is f32.
//
// `packed` weights are in the order that the chosen algorithm reads, as Conv2dPack made them: an
// opaque array of Backend::conv2d_packed_bytes. Null: the call packs w into scratch first.
#pragma once

#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/epilogue.h"
#include "hanok/kernels/inverted_residual.h"
#include "hanok/kernels/primitives/primitive.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Packs weights for a pass.
struct Conv2dPack {
  static constexpr const char* kName = "conv2d_pack";
  Conv2dPass pass{};
  Conv2dShape shape;
  ConstView w;
  void* packed = nullptr;

  static void operands(auto& op, const auto& visit) { visit.reads(op.w); }
  double flop() const { return 0; }
  double bytes(const Backend& backend) const;
  std::string shape_text() const { return w.shape.to_string(); }
  std::string variant(const Backend& backend) const;
};

struct Conv2dForward {
  static constexpr const char* kName = "conv2d_forward";
  Conv2dShape shape;
  ConstView x, w;
  const void* packed = nullptr;
  Epilogue epilogue{};
  View y;  // of x's type, or bf16 where Backend::conv2d_stores_bf16

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.reads(op.w);
    Epilogue::operands(op.epilogue, visit);
    visit.writes(op.y, Elements::DataOrBf16);
  }
  double flop() const { return shape.flop() + epilogue.flop_per_output() * count_of(y); }
  std::string shape_text() const;
  std::string variant(const Backend& backend) const;
};

struct Conv2dBackwardData {
  static constexpr const char* kName = "conv2d_backward_data";
  Conv2dShape shape;
  ConstView dy, w;
  const void* packed = nullptr;
  View dx;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.dy);
    visit.reads(op.w);
    visit.writes(op.dx);
  }
  double flop() const { return shape.flop(); }
  std::string shape_text() const;
  std::string variant(const Backend& backend) const;
};

struct Conv2dBackwardWeights {
  static constexpr const char* kName = "conv2d_backward_weights";
  Conv2dShape shape;
  ConstView x, dy;
  View dw;  // f32

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    visit.reads(op.dy);
    visit.writes(op.dw, Elements::F32);
  }
  double flop() const { return shape.flop(); }
  std::string shape_text() const;
  std::string variant(const Backend& backend) const;
};

/// One of the convolutions of a primitive that computes several.
struct FusedConvolution {
  ConstView w;
  const void* packed = nullptr;  // for the forward pass
  Epilogue epilogue{};

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.w);
    Epilogue::operands(op.epilogue, visit);
  }
};

/// MobileNetV2's block (inverted_residual.h) with the epilogues that its batch norms fold into: its
/// convolutions without the tensors between them. Only where Backend::fuses_inverted_residual says
/// so.
struct InvertedResidual {
  static constexpr const char* kName = "inverted_residual";
  InvertedResidualShape shape;
  ConstView x;
  FusedConvolution expand{}, depthwise{}, project{};  // expand: only if shape.expands
  View y;

  static void operands(auto& op, const auto& visit) {
    visit.reads(op.x);
    FusedConvolution::operands(op.expand, visit);
    FusedConvolution::operands(op.depthwise, visit);
    FusedConvolution::operands(op.project, visit);
    visit.writes(op.y);
  }
  double flop() const;
  std::string shape_text() const;
};

namespace cpu {
void run(const Call& call, const Conv2dPack& op);
void run(const Call& call, const Conv2dForward& op);
void run(const Call& call, const Conv2dBackwardData& op);
void run(const Call& call, const Conv2dBackwardWeights& op);
/// Computes every shape whose convolutions' weights are packed for implicit GEMM and depthwise.
void run(const Call& call, const InvertedResidual& op);
}  // namespace cpu

// On CUDA: Convolution (kernels/cuda/conv/convolution.h), which may be cuDNN.

}  // namespace hanok
#pragma GCC visibility pop
