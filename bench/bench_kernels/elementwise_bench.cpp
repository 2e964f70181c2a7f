#include "bench/bench_kernels/memory_bound.h"

namespace hanok::bench {
namespace {

StridedConstView strided(ConstView view) {
  const Shape sizes = physical_shape(view.shape);
  return {view.data, view.dtype, sizes, row_major_strides(sizes)};
}

void unary(benchmark::State& state, UnaryOp op) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape, 2);
  Buffer y(shape);
  run(state, bytes_of(shape, 2), [&](Backend& backend, ExecContext& context) {
    backend.run(context, Unary{op, {0.5F, 0.25F}, x.view(), y.view()});
  });
}

void unary_backward_relu(benchmark::State& state) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer y(shape), dy(shape), dx(shape);
  run(state, bytes_of(shape, 3), [&](Backend& backend, ExecContext& context) {
    backend.run(context, UnaryBackward{UnaryOp::Relu, {}, {}, y.view(), dy.view(), dx.view()});
  });
}

void binary_add(benchmark::State& state) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer a(shape), b(shape), out(shape);
  run(state, bytes_of(shape, 3), [&](Backend& backend, ExecContext& context) {
    backend.run(context, Binary{BinaryOp::Add, strided(a.view()), strided(b.view()), out.view()});
  });
}

/// One value per channel, like a bias.
void binary_add_channels(benchmark::State& state) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer a(shape), b(Shape{shape[1]}), out(shape);
  StridedConstView channels{b.view().data, DType::F32, physical_shape(shape), {0, 0, 0, 1}};
  run(state, bytes_of(shape, 2), [&](Backend& backend, ExecContext& context) {
    backend.run(context, Binary{BinaryOp::Add, strided(a.view()), channels, out.view()});
  });
}

/// Sums over all elements, per channel, and per pixel over its channels.
void reduce(benchmark::State& state, std::uint32_t dims) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape), out(shape);
  Shape kept;
  for (int dim = 0; dim < 4; ++dim) {
    if (((dims >> dim) & 1U) == 0) {
      kept.push_back(physical_shape(shape)[dim]);
    }
  }
  const View result{out.view().data, DType::F32, kept};
  run(state, bytes_of(shape, 1), [&](Backend& backend, ExecContext& context) {
    backend.run(context, Reduce{ReduceOp::Sum, strided(x.view()), dims, result});
  });
}

BENCHMARK_CAPTURE(unary, relu, UnaryOp::Relu)
    ->DenseRange(0, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(unary, affine, UnaryOp::Affine)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(unary, exp, UnaryOp::Exp)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(unary, sigmoid, UnaryOp::Sigmoid)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(unary, tanh, UnaryOp::Tanh)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(unary, gelu, UnaryOp::Gelu)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(unary_backward_relu)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(binary_add)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(binary_add_channels)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(reduce, all, 0b1111U)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(reduce, to_channels, 0b0111U)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(reduce, over_channels, 0b1000U)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanok::bench
