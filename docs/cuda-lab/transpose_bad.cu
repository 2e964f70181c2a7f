// Transposes a matrix the obvious way, and through shared memory with a mistake. Try it:
//   ./dev cuda-lab docs/cuda-lab/transpose_bad.cu
// Plain CUDA: nvcc compiles this file as well.
#include <cuda_runtime.h>

#include <cstdio>
#include <vector>

constexpr int kTile = 32, kRows = 8;

// Neighbouring threads read neighbouring floats, but write floats that lie `height` apart: each of
// a warp's 32 writes needs a sector of its own.
__global__ void transpose_directly(const float* in, float* out, int width, int height) {
  const int x = blockIdx.x * kTile + threadIdx.x;
  for (int row = threadIdx.y; row < kTile; row += kRows) {
    const int y = blockIdx.y * kTile + row;
    if (x < width && y < height) out[x * height + y] = in[y * width + x];
  }
}

// Through a tile in shared memory both sides are coalesced. Two things are wrong: a column of the
// tile lies in one bank, so that reading it takes 32 passes; and nothing makes the readers wait
// for the writers.
__global__ void transpose_by_tile(const float* in, float* out, int width, int height) {
  __shared__ float tile[kTile][kTile];
  for (int row = threadIdx.y; row < kTile; row += kRows) {
    const int x = blockIdx.x * kTile + threadIdx.x, y = blockIdx.y * kTile + row;
    if (x < width && y < height) tile[row][threadIdx.x] = in[y * width + x];
  }
  for (int row = threadIdx.y; row < kTile; row += kRows) {
    const int x = blockIdx.y * kTile + threadIdx.x, y = blockIdx.x * kTile + row;
    if (x < height && y < width) out[y * height + x] = tile[threadIdx.x][row];
  }
}

int main() {
  constexpr int kWidth = 96, kHeight = 64;
  std::vector<float> in(kWidth * kHeight), out(kWidth * kHeight);
  for (int i = 0; i < kWidth * kHeight; ++i) in[i] = static_cast<float>(i);

  float *device_in = nullptr, *device_out = nullptr;
  const size_t bytes = in.size() * sizeof(float);
  cudaMalloc(&device_in, bytes);
  cudaMalloc(&device_out, bytes);
  cudaMemcpy(device_in, in.data(), bytes, cudaMemcpyHostToDevice);
  const dim3 grid(kWidth / kTile, kHeight / kTile), block(kTile, kRows);
  transpose_directly<<<grid, block>>>(device_in, device_out, kWidth, kHeight);
  transpose_by_tile<<<grid, block>>>(device_in, device_out, kWidth, kHeight);
  cudaMemcpy(out.data(), device_out, bytes, cudaMemcpyDeviceToHost);
  std::printf("out[1][0] = %g (in[0][1] = %g)\n", out[kHeight], in[1]);
  cudaFree(device_in);
  cudaFree(device_out);
}
