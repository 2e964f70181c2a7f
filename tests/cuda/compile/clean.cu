// Needs no local memory.
__global__ void clean_kernel(const float* x, float* y) { y[threadIdx.x] = 2 * x[threadIdx.x]; }
