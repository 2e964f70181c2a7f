#include "hanok/kernels/cuda/ops/columns.h"
#include "hanok/kernels/cuda/ops/epilogue.h"

namespace hanok::cuda {

void apply_epilogue(ExecContext& ctx, const Epilogue& epilogue, std::int64_t rows,
                    std::int64_t channels, View y) {
  AffineColumns affine;
  affine.x = y;
  affine.scale_a = epilogue.scale;
  affine.shift = epilogue.shift;
  affine.residual = epilogue.residual;
  affine.activation = epilogue.activation;
  affine.y = y;
  if (epilogue.scale.defined() || epilogue.shift.defined() || epilogue.residual.defined() ||
      epilogue.activation != Activation::None) {
    affine_columns(ctx, "epilogue", affine, rows, channels);
  }
  if (epilogue.bn_mean_var.defined()) {
    column_moments(ctx, y, {1, rows, channels, 0}, channels, epilogue.bn_mean_var);
  }
}

}  // namespace hanok::cuda
