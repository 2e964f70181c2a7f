#include "bench/bench_kernels/memory_bound.h"

namespace hanok::bench {
namespace {

/// The pooling after ResNet's stem: 3x3, stride 2, padding 1.
Pool2dShape stem_pool(std::int64_t batch) {
  Pool2dShape shape;
  shape.n = batch;
  shape.c = 64;
  shape.h = shape.w = 112;
  shape.r = shape.s = 3;
  shape.window = {2, 2, 1, 1, 1, 1};
  return shape;
}

void max_pool(benchmark::State& state) {
  const Pool2dShape shape = stem_pool(state.range(0));
  Buffer x(shape.input_shape()), y(shape.output_shape());
  std::vector<std::uint8_t> taps(static_cast<std::size_t>(shape.output_shape().numel()));
  const View indices{taps.data(), DType::U8, shape.output_shape()};
  run(state,
      bytes_of(shape.input_shape(), 1) + bytes_of(shape.output_shape(), 1) +
          static_cast<double>(taps.size()),
      [&](Backend& backend, ExecContext& context) {
        backend.run(context, MaxPool2d{shape, x.view(), y.view(), indices});
      });
}

void max_pool_backward(benchmark::State& state) {
  const Pool2dShape shape = stem_pool(state.range(0));
  Buffer x(shape.input_shape()), dx(shape.input_shape()), dy(shape.output_shape());
  std::vector<std::uint8_t> taps(static_cast<std::size_t>(shape.output_shape().numel()));
  const View indices{taps.data(), DType::U8, shape.output_shape()};
  backend().run(context().exec, MaxPool2d{shape, x.view(), dy.view(), indices});
  run(state,
      bytes_of(shape.input_shape(), 1) + bytes_of(shape.output_shape(), 1) +
          static_cast<double>(taps.size()),
      [&](Backend& backend, ExecContext& context) {
        backend.run(context, MaxPool2dBackward{shape, dy.view(), indices, dx.view()});
      });
}

void global_avg_pool(benchmark::State& state, bool backward) {
  const Shape shape{32, 512, state.range(0), state.range(0)};
  Buffer x(shape), y(Shape{32, 512, 1, 1});
  run(state, bytes_of(shape, 1), [&](Backend& backend, ExecContext& context) {
    if (backward) {
      backend.run(context, AdaptiveAvgPool2dBackward{y.view(), x.view()});
    } else {
      backend.run(context, AdaptiveAvgPool2d{x.view(), y.view()});
    }
  });
}

BENCHMARK(max_pool)->Arg(1)->Arg(32)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(max_pool_backward)->Arg(1)->Arg(32)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(global_avg_pool, forward, /*backward=*/false)
    ->Arg(7)
    ->Arg(28)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(global_avg_pool, backward, /*backward=*/true)
    ->Arg(7)
    ->Arg(28)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanok::bench
