#include "bench/bench_kernels/memory_bound.h"

namespace hanok::bench {
namespace {

void batch_norm_statistics(benchmark::State& state) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape), mean_var(Shape{2, shape[1]});
  run(state, bytes_of(shape, 1), [&](Backend& backend, ExecContext& context) {
    backend.run(context,
                BatchNormStatistics{x.view(), shape.numel() / shape[1], shape[1], mean_var.view()});
  });
}

void batch_norm_apply(benchmark::State& state, bool with_residual) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape), residual(shape), y(shape);
  Buffer mean(Shape{shape[1]}), invstd(Shape{shape[1]}, 2);
  BatchNormApply op;
  op.x = x.view();
  op.mean = mean.view();
  op.invstd = invstd.view();
  op.residual = with_residual ? residual.view() : ConstView{};
  op.activation = Activation::Relu;
  op.y = y.view();
  run(state, bytes_of(shape, with_residual ? 3 : 2),
      [&](Backend& backend, ExecContext& context) { backend.run(context, op); });
}

/// Reads x, y and dy twice, writes dx (and dresidual).
void batch_norm_backward(benchmark::State& state, bool with_residual) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape), y(shape), dy(shape), dx(shape), dresidual(shape);
  Buffer mean(Shape{shape[1]}), invstd(Shape{shape[1]}, 2), dgamma(Shape{shape[1]}),
      dbeta(Shape{shape[1]});
  BatchNormBackward op;
  op.x = x.view();
  op.y = y.view();
  op.dy = dy.view();
  op.mean = mean.view();
  op.invstd = invstd.view();
  op.activation = Activation::Relu;
  op.dx = dx.view();
  op.dgamma = dgamma.view();
  op.dbeta = dbeta.view();
  op.dresidual = with_residual ? dresidual.view() : View{};
  run(state, bytes_of(shape, with_residual ? 8 : 7),
      [&](Backend& backend, ExecContext& context) { backend.run(context, op); });
}

BENCHMARK(batch_norm_statistics)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(batch_norm_apply, relu, /*residual=*/false)
    ->DenseRange(0, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(batch_norm_apply, residual_relu, /*residual=*/true)
    ->DenseRange(1, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(batch_norm_backward, relu, /*residual=*/false)
    ->DenseRange(0, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(batch_norm_backward, residual_relu, /*residual=*/true)
    ->DenseRange(1, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanok::bench
