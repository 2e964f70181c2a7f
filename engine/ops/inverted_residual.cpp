// MobileNetV2's block in evaluation: three convolutions with folded batch norms as one kernel.
#include <optional>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/ops/conv2d.h"
#include "hanok/engine/ops/norm.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/storage.h"

namespace hanok::ops {
namespace {

bool has_rank4_weight(const Conv2dArguments& conv) {
  return conv.weight.defined() && conv.weight.rank() == 4;
}

bool is_pointwise(const Conv2dArguments& conv) {
  const Window2d& w = conv.window;
  return has_rank4_weight(conv) && conv.weight.size(2) == 1 && conv.weight.size(3) == 1 &&
         conv.groups == 1 && w.stride_h == 1 && w.stride_w == 1 && w.pad_h == 0 && w.pad_w == 0;
}

// Over x, whose sides decide where Padding::Same puts its zeros.
bool is_depthwise3x3(const Tensor& x, const Conv2dArguments& conv) {
  const Window2d& w = conv.window;
  if (!has_rank4_weight(conv) || conv.weight.size(1) != 1 || conv.weight.size(0) != conv.groups ||
      conv.weight.size(2) != 3 || conv.weight.size(3) != 3 || w.stride_h != w.stride_w ||
      w.dilation_h != 1 || w.dilation_w != 1) {
    return false;
  }
  if (conv.padding == Padding::Window) return w.pad_h == 1 && w.pad_w == 1;
  // One row above and one below: at stride 1, and at stride 2 over an odd number of rows.
  return w.stride_h == 1 || (w.stride_h == 2 && x.size(2) % 2 == 1 && x.size(3) % 2 == 1);
}

// The sizes, if the kernel supports the layers.
std::optional<InvertedResidualShape> shape_of(const Tensor& x, const std::vector<ConvNorm>& layers,
                                              bool residual) {
  if (x.rank() != 4 || layers.size() < 2 || layers.size() > 3) return std::nullopt;
  const Conv2dArguments& depthwise = layers[layers.size() - 2].conv;
  const Conv2dArguments& project = layers.back().conv;
  InvertedResidualShape s;
  s.expands = layers.size() == 3;
  if ((s.expands && !is_pointwise(layers[0].conv)) || !is_depthwise3x3(x, depthwise) ||
      !is_pointwise(project)) {
    return std::nullopt;
  }
  s.n = x.size(0);
  s.c = x.size(1);
  s.h = x.size(2);
  s.w = x.size(3);
  s.hidden = depthwise.groups;
  s.k = project.weight.size(0);
  s.stride = depthwise.window.stride_h;
  s.int16 = precision() == Precision::Int16 ? 1 : 0;
  const std::int64_t widened = s.expands ? layers[0].conv.weight.size(0) : s.c;
  const bool fit = widened == s.hidden && project.weight.size(1) == s.hidden &&
                   (!s.expands || layers[0].conv.weight.size(1) == s.c);
  const bool can_add = s.stride == 1 && s.c == s.k;
  if (!fit || s.h < 1 || s.w < 1 || (residual && !can_add)) return std::nullopt;
  return s;
}

}  // namespace

bool fuses_inverted_residual(const Tensor& x, const std::vector<ConvNorm>& layers, bool residual) {
  const std::optional<InvertedResidualShape> shape = shape_of(x, layers, residual);
  if (!shape || x.dtype() != DType::F32 || any_requires_grad({x})) return false;
  for (const ConvNorm& layer : layers) {
    if (uses_batch_statistics(layer.bn) || layer.conv.weight.dtype() != DType::F32 ||
        any_requires_grad({layer.conv.weight, layer.conv.bias, layer.bn.weight, layer.bn.bias})) {
      return false;
    }
  }
  return Target(x).backend.fuses_inverted_residual(*shape);
}

Tensor inverted_residual(const Tensor& x, const std::vector<ConvNorm>& layers, bool residual) {
  const char* op = "inverted_residual";
  if (!fuses_inverted_residual(x, layers, residual)) {
    throw_value_error(op, "these layers are not computed as one", {{"input", x}});
  }
  InvertedResidual call;
  call.shape = *shape_of(x, layers, residual);
  const Conv2dShape shapes[] = {call.shape.expand(), call.shape.depthwise(), call.shape.project()};
  FusedConvolution* const convolutions[] = {&call.expand, &call.depthwise, &call.project};
  std::vector<FoldedNorm> norms;
  std::vector<std::shared_ptr<Storage>> packs;
  const std::size_t first = 3 - layers.size();
  for (std::size_t i = first; i < 3; ++i) {
    const auto& [conv, bn] = layers[i - first];
    check_batch_norm(op, x, shapes[i].k, shapes[i].n * shapes[i].p() * shapes[i].q(), bn);
    norms.push_back(folded_norm(bn, conv.bias));
    packs.push_back(packed_weights(Conv2dPass::Forward, shapes[i], conv.weight, false));
    convolutions[i]->w = conv.weight.view();
    convolutions[i]->packed = packs.back() ? packs.back()->data() : nullptr;
    Epilogue& epilogue = convolutions[i]->epilogue;
    epilogue.scale = norms.back().scale.view();
    epilogue.shift = norms.back().shift.view();
    if (i < 2) epilogue.activation = Activation::Relu6;
  }
  if (residual) call.project.epilogue.residual = x.view();
  Tensor y = empty_on(x, call.shape.project().output_shape());
  call.x = x.view();
  call.y = y.mutable_view();
  const Target target(x);
  target.run(call);
  return y;
}

}  // namespace hanok::ops
