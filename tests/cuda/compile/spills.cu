// Kernels for the report's test; not part of hanok. 128 live values in the 64 registers of a thread
// of 1024, and an array that is indexed at run time.
__global__ void __launch_bounds__(1024) spilling_kernel(const float* x, float* y) {
  float values[128];
#pragma unroll
  for (int i = 0; i < 128; ++i) values[i] = x[threadIdx.x * 128 + i];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 128; ++i) y[threadIdx.x * 128 + i] = values[127 - i] * values[i];
}

__global__ void indexing_kernel(const int* at, float* y) {
  float values[16];
  for (int i = 0; i < 16; ++i) values[i] = 0;
  for (int i = 0; i < 32; ++i) values[at[i] & 15] += y[i];
  y[threadIdx.x] = values[at[threadIdx.x] & 15];
}
