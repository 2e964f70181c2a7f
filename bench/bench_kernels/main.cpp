// bench_kernels: every kernel family over real shapes, against rooflines measured in the same run.
//   bench_kernels --benchmark_filter='Gemm|Conv2d/forward' --benchmark_min_time=0.2
#include <benchmark/benchmark.h>

#include "bench/bench_kernels/roofline.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/thread_pool.h"

int main(int argc, char** argv) {
  const hanok::FlushDenormals flush;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  hanok::ThreadPool pool(hanok::num_threads());
  hanok::bench::add_peaks_to_context(pool);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
