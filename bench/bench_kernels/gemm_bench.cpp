// SGEMM over square sizes and the linear layers of ResNet18, at one and two threads.
#include "bench/bench_kernels/bench_context.h"
#include "bench/bench_kernels/roofline.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/primitives/gemm.h"

namespace hanok::bench {
namespace {

// m, n, k, transposes (0 none, 1 a, 2 b), threads
void Gemm(benchmark::State& state) {
  GemmShape shape;
  shape.m = state.range(0);
  shape.n = state.range(1);
  shape.k = state.range(2);
  shape.transpose_a = state.range(3) == 1;
  shape.transpose_b = state.range(3) == 2;
  shape.lda = shape.transpose_a ? shape.m : shape.k;
  shape.ldb = shape.transpose_b ? shape.k : shape.n;
  shape.ldc = shape.n;
  BenchContext context(static_cast<int>(state.range(4)));
  const auto a = random_floats(shape.m * shape.k, 1);
  const auto b = random_floats(shape.n * shape.k, 2);
  std::vector<float> c(static_cast<std::size_t>(shape.m * shape.n));
  const double flop = 2.0 * static_cast<double>(shape.m * shape.n * shape.k);
  run_compute_bound(state, context.pool, flop, [&] {
    cpu::run({context.exec, cpu::choose_isa()},
             hanok::Gemm{shape, view_of(a, {}), view_of(b, {}), {}, view_of(c, {})});
  });
}

void gemm_cases(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"m", "n", "k", "trans", "threads"})
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
  for (const std::int64_t threads : {1, 2}) {
    for (const std::int64_t size : {64, 256, 512, 1024, 2048}) {
      bench->Args({size, size, size, 0, threads});
    }
    bench->Args({1024, 1024, 1024, 1, threads});
    bench->Args({1024, 1024, 1024, 2, threads});
    bench->Args({1, 1000, 512, 2, threads});  // ResNet18's head
    bench->Args({16, 1000, 512, 2, threads});
    bench->Args({32, 1000, 512, 2, threads});
  }
}
BENCHMARK(Gemm)->Apply(gemm_cases);

}  // namespace
}  // namespace hanok::bench
