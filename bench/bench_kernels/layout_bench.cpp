#include "bench/bench_kernels/memory_bound.h"

namespace hanok::bench {
namespace {

/// N,C,H,W in memory to N,H,W,C and back.
void transpose(benchmark::State& state, bool to_channels_last) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer from(shape), to(shape);
  const std::int64_t n = shape[0], c = shape[1], h = shape[2], w = shape[3];
  const Shape sizes{n, h, w, c};
  const Strides last{h * w * c, w * c, c, 1};
  const Strides first{c * h * w, w, 1, h * w};
  run(state, bytes_of(shape, 2), [&](Backend& backend, ExecContext& context) {
    backend.run(
        context,
        StridedCopy{{to.view().data, DType::F32, sizes, to_channels_last ? last : first},
                    {from.view().data, DType::F32, sizes, to_channels_last ? first : last}});
  });
}

void normalize_u8(benchmark::State& state) {
  const Shape shape{32, 3, 224, 224};
  std::vector<std::uint8_t> x(static_cast<std::size_t>(shape.numel()), 77);
  Buffer mean(Shape{3}), stddev(Shape{3}, 2), y(shape);
  run(state, bytes_of(shape, 1) * 1.25, [&](Backend& backend, ExecContext& context) {
    backend.run(context,
                NormalizeU8{{x.data(), DType::U8, shape}, mean.view(), stddev.view(), y.view()});
  });
}

void dropout(benchmark::State& state) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape), y(shape);
  const std::int64_t position[2] = {1, 2};
  const RandomCall call{{1, 2}, {position, DType::I64, Shape{2}}, 3};
  run(state, bytes_of(shape, 2), [&](Backend& backend, ExecContext& context) {
    backend.run(context, Dropout{call, 0.5F, x.view(), y.view()});
  });
}

void random_normal(benchmark::State& state) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer y(shape);
  const std::int64_t position[2] = {1, 2};
  const RandomCall call{{1, 2}, {position, DType::I64, Shape{2}}, 3};
  run(state, bytes_of(shape, 1), [&](Backend& backend, ExecContext& context) {
    backend.run(context, RandomNormal{call, 0, 1, y.view()});
  });
}

void cast(benchmark::State& state, DType to) {
  const Shape shape = resnet_activation(state.range(0));
  Buffer x(shape), y(shape);
  run(state, bytes_of(shape, 1) * (1 + static_cast<double>(size_of(to)) / 4),
      [&](Backend& backend, ExecContext& context) {
        backend.run(context, Cast{{y.view().data, to, shape}, x.view()});
      });
}

BENCHMARK_CAPTURE(transpose, to_channels_last, /*to_channels_last=*/true)
    ->DenseRange(1, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(transpose, to_channels_first, /*to_channels_last=*/false)
    ->DenseRange(1, 2)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(normalize_u8)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(dropout)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(random_normal)->Arg(2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(cast, bf16, DType::BF16)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(cast, f16, DType::F16)->Arg(1)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hanok::bench
