#include "hanok/kernels/cuda/runtime/launch.h"
#include "tests/cuda/emulator/tests/planted.h"

namespace hanok::emulator::planted {
namespace {

__global__ void reverse_kernel(float* data, bool barrier) {
  __shared__ float tile[64];
  const int i = static_cast<int>(threadIdx.x);
  float* block = data + 64 * blockIdx.x;
  tile[i] = block[i];  // at: missing-barrier write
  if (barrier) __syncthreads();
  block[i] = tile[63 - i];  // at: missing-barrier read
}

__global__ void reverse_warp_kernel(float* data, bool barrier) {
  __shared__ float tile[32];
  const int i = static_cast<int>(threadIdx.x);
  tile[i] = data[i];  // at: missing-syncwarp write
  if (barrier) __syncwarp();
  data[i] = tile[31 - i];  // at: missing-syncwarp read
}

__global__ void twice_kernel(const float* x, float* y, int n, bool check) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (check && i >= n) return;
  y[i] = 2 * x[i];  // at: out-of-bounds read
}

__global__ void meet_kernel(bool all) {
  if (all || threadIdx.x < 32) __syncthreads();  // at: divergent-barrier
}

__global__ void meet_apart_kernel() {
  if (threadIdx.x < 32) {
    __syncthreads();  // at: barrier-apart one
  } else {
    __syncthreads();  // at: barrier-apart other
  }
}

__global__ void sum_kernel(const float* x, float* sum, int n, bool atomically) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  if (atomically) {
    atomicAdd(sum, x[i]);
  } else {
    *sum += x[i];  // at: racy-sum
  }
}

__global__ void last_block_kernel(const float* x, float* parts, unsigned* ticket, float* sum,
                                  bool fence) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = 2 * x[blockIdx.x];  // at: last-block write
    if (fence) __threadfence();
    last = atomicAdd(ticket, 1U) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float total = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) total += parts[b];  // at: last-block read
    *sum = total;
  }
}

__global__ void shuffle_kernel(const float* x, float* sum, bool all) {
  if (!all && threadIdx.x >= 16) return;
  float value = x[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_down_sync(0xffffffffU, value, static_cast<unsigned>(offset));  // at: lanes
  }
  if (threadIdx.x == 0) *sum = value;
}

__global__ void beyond_block_kernel(float* x) {
  x[threadIdx.x] += __shfl_sync(0xffffffffU, x[threadIdx.x], 31);  // at: beyond-block
}

__global__ void through_shared_kernel(const float* x, float* y, int n) {
  auto* tile = cuda::dynamic_shared<float>();
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) tile[i] = x[i];  // at: shared-bounds write
  __syncthreads();
  if (i < n) y[i] = tile[n - 1 - i];
}

__global__ void table_kernel(float* sum, bool fill) {
  __shared__ float table[32];
  if (fill) table[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x != 0) return;
  float total = 0;
  for (int i = 0; i < 32; ++i) total += table[i];  // at: uninitialised read
  *sum = total;
}

__global__ void bytes_kernel(unsigned char* bytes) {
  bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
  if (threadIdx.x == 0) bytes[0] = 7;
}

__global__ void segments_kernel(float* x, bool sync) {
  __shared__ float tile[32];
  const unsigned i = threadIdx.x;
  const unsigned mask = 0xffU << (i / 8 * 8);
  tile[i] = x[i];
  if (sync) __syncwarp(mask);
  x[i] = tile[i / 8 * 8 + (i + 1) % 8];  // at: segment read
}

struct Four {
  int value[12];
};
__global__ void structs_kernel(Four* data, bool barrier) {
  __shared__ Four held[32];
  held[threadIdx.x] = data[threadIdx.x];
  if (barrier) __syncthreads();
  data[threadIdx.x] = held[31 - threadIdx.x];  // at: struct read
}

}  // namespace

using cuda::launch;

void reverse(float* data, int blocks, bool barrier) {
  launch(reverse_kernel, static_cast<unsigned>(blocks), 64, 0, nullptr, data, barrier);
}
void reverse_warp(float* data, bool barrier) {
  launch(reverse_warp_kernel, 1, 32, 0, nullptr, data, barrier);
}
void twice(const float* x, float* y, int n, bool check) {
  launch(twice_kernel, static_cast<unsigned>((n + 63) / 64), 64, 0, nullptr, x, y, n, check);
}
void meet(bool all) { launch(meet_kernel, 1, 64, 0, nullptr, all); }
void meet_apart() { launch(meet_apart_kernel, 1, 64, 0, nullptr); }
void sum(const float* x, float* sum, int n, bool atomically) {
  launch(sum_kernel, static_cast<unsigned>((n + 31) / 32), 32, 0, nullptr, x, sum, n, atomically);
}
void sum_by_last_block(const float* x, float* parts, unsigned* ticket, float* sum, int blocks,
                       bool fence) {
  launch(last_block_kernel, static_cast<unsigned>(blocks), 32, 0, nullptr, x, parts, ticket, sum,
         fence);
}
void sum_by_shuffles(const float* x, float* sum, bool all) {
  launch(shuffle_kernel, 1, 32, 0, nullptr, x, sum, all);
}
void reads_beyond_block(float* x) { launch(beyond_block_kernel, 1, 16, 0, nullptr, x); }
void through_shared(const float* x, float* y, int n, int have) {
  launch(through_shared_kernel, 1, 64, have * sizeof(float), nullptr, x, y, n);
}
void sum_table(float* sum, bool fill) { launch(table_kernel, 1, 32, 0, nullptr, sum, fill); }
void neighbouring_bytes(unsigned char* bytes) { launch(bytes_kernel, 1, 8, 0, nullptr, bytes); }
void exchange_in_segments(float* x, bool sync) {
  launch(segments_kernel, 1, 32, 0, nullptr, x, sync);
}
void move_structs(int* data, bool barrier) {
  launch(structs_kernel, 1, 32, 0, nullptr, reinterpret_cast<Four*>(data), barrier);
}

}  // namespace hanok::emulator::planted
