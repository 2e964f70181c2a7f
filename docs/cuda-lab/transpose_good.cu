// Transposes a matrix through shared memory as it should be done. Try it:
//   ./dev cuda-lab docs/cuda-lab/transpose_good.cu
// Plain CUDA: nvcc compiles this file as well.
#include <cuda_runtime.h>

#include <cstdio>
#include <vector>

constexpr int kTile = 32, kRows = 8;

// Rows of the tile are one float longer than they need be: the floats of a column then lie in 32
// different banks. Both reads and writes of global memory are by rows.
__global__ void transpose(const float* in, float* out, int width, int height) {
  __shared__ float tile[kTile][kTile + 1];
  for (int row = threadIdx.y; row < kTile; row += kRows) {
    const int x = blockIdx.x * kTile + threadIdx.x, y = blockIdx.y * kTile + row;
    if (x < width && y < height) tile[row][threadIdx.x] = in[y * width + x];
  }
  __syncthreads();
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
  transpose<<<grid, block>>>(device_in, device_out, kWidth, kHeight);
  cudaMemcpy(out.data(), device_out, bytes, cudaMemcpyDeviceToHost);
  std::printf("out[1][0] = %g (in[0][1] = %g)\n", out[kHeight], in[1]);
  cudaFree(device_in);
  cudaFree(device_out);
}
