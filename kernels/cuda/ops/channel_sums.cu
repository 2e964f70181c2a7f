// One thread per channel; C is at most some thousands, so the kernel is launch-bound. The quotients
// are computed in double, so that E[x^2] - E[x]^2 loses nothing beyond the f32 sums' errors.
#include "hanok/kernels/cuda/ops/channel_sums.h"
#include "hanok/kernels/cuda/runtime/cuda.h"
#include "hanok/kernels/cuda/runtime/launch.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void moments_from_sums_kernel(const float* sum, const float* sum_of_squares, double rows,
                                         int channels, float* mean_var) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= channels) return;
  const double mean = sum[c] / rows;
  const double variance = sum_of_squares[c] / rows - mean * mean;
  mean_var[c] = static_cast<float>(mean);
  mean_var[channels + c] = variance > 0 ? static_cast<float>(variance) : 0.0F;
}

}  // namespace

void moments_from_sums(ExecContext& ctx, const float* sum, const float* sum_of_squares,
                       std::int64_t rows, std::int64_t channels, View mean_var) {
  if (channels == 0) return;
  const auto blocks = static_cast<unsigned>((channels + kThreads - 1) / kThreads);
  launch(moments_from_sums_kernel, dim3(blocks), dim3(kThreads), 0, stream_of(ctx), sum,
         sum_of_squares, static_cast<double>(rows), static_cast<int>(channels), mean_var.f32());
}

}  // namespace hanok::cuda
