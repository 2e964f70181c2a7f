#include "bench/bench_precision/backends.h"

#include <algorithm>

#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/base/error.h"

namespace hanok::bench {

void ConvolutionMeter::measure(ExecContext& context, Conv2dPass pass, const Conv2dShape& shape,
                               const Conv2dFactors& factors) {
  if (shape.groups > 1) return;
  measured_.push_back({.layer = LayerScope::current().layer,
                       .errors = measure_conv2d(inner(), context, pass, shape, factors)});
}

void ExactConvolutions::forward(ExecContext& context, const Conv2dForward& op) {
  const Epilogue& e = op.epilogue;
  if (e.bn_mean_var.defined()) throw ValueError("convolutions in double are for evaluation");
  const std::vector<double> sums = exact_conv2d(context.pool, Conv2dPass::Forward, op.shape,
                                                {op.x.f32(), op.w.f32()}, operands_);
  const auto channels = static_cast<std::size_t>(op.shape.k);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double value = sums[i];
    if (e.scale.defined()) value *= e.scale.f32()[i % channels];
    if (e.shift.defined()) value += e.shift.f32()[i % channels];
    if (e.residual.defined()) value += e.residual.f32()[i];
    if (e.activation != Activation::None) value = std::max(value, 0.0);
    if (e.activation == Activation::Relu6) value = std::min(value, 6.0);
    op.y.f32()[i] = static_cast<float>(value);
  }
}

}  // namespace hanok::bench
