// Loss scaling: f16 cannot represent values below 6e-8, and gradients are often smaller. So the
// loss is multiplied by a large power of two before the backward pass, and the gradients are
// divided by it before they are used. If the scale was too large, some gradients are infinite or
// NaN: the step is skipped and the scale halved. All of this is decided on the device, so that a
// step does not synchronise and can be replayed (Micikevicius et al., "Mixed Precision Training",
// ICLR 2018).
//
// unscale: a list of tensors is a kernel parameter; a block finds its tensor by bisection and
// processes kListBlock of it, 16 bytes per thread and access. Each block writes a flag, and one
// block combines them, so that no two blocks write to one address. Roofline: memory, 8 bytes per
// element (11.7 M parameters of ResNet18: 94 MB, 28 us at 3.35 TB/s).
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/ops/tensor_list.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/loss_scale.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = kListThreads;

struct ScaledItem {
  float* data;
  bool aligned;
};

__device__ bool is_finite(float x) { return (__float_as_uint(x) & 0x7f800000U) != 0x7f800000U; }

/// Whether the flag of any thread of the block is set, in thread 0.
__device__ bool any_in_block(bool mine) {
  __shared__ bool warps[kThreads / 32];
  const bool warp = __any_sync(0xffffffffU, mine) != 0;
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = warp;
  __syncthreads();
  bool any = false;
  if (threadIdx.x == 0) {
    for (const bool each : warps) any = any || each;
  }
  return any;
}

__global__ void unscale_kernel(TensorList<ScaledItem> list, const float* scale, bool* found) {
  const int which = list.find(static_cast<int>(blockIdx.x));
  const ScaledItem item = list.items[which];
  const float inverse = 1.0F / *scale;
  bool bad = false;
  for_packs(list, which, [&](std::int64_t i, int exist) {
    float g[kListPack];
    load_some(item.data + i, item.aligned, exist, g);
    for (float& each : g) {
      bad = bad || !is_finite(each);
      each *= inverse;
    }
    store_some(g, item.aligned, exist, item.data + i);
  });
  bad = any_in_block(bad);
  if (threadIdx.x == 0) found[blockIdx.x] = bad;
}

/// One block: out = 1 if any of the flags is set, else 0.
__global__ void join_found_kernel(const bool* found, std::int64_t count, float* out) {
  bool bad = false;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) bad = bad || found[i];
  bad = any_in_block(bad);
  if (threadIdx.x == 0) *out = bad ? 1.0F : 0.0F;
}

/// One thread.
__global__ void update_loss_scale_kernel(float growth, float backoff, std::int64_t interval,
                                         const float* found, float* scale,
                                         std::int64_t* good_steps) {
  if (*found != 0.0F) {
    *scale *= backoff;
    *good_steps = 0;
    return;
  }
  if (++*good_steps < interval) return;
  const float grown = *scale * growth;
  if (is_finite(grown)) *scale = grown;
  *good_steps = 0;
}

}  // namespace

void run(ExecContext& ctx, const Unscale& op) {
  std::int64_t blocks = 0;
  for (const View& g : op.gradients) blocks += (g.numel() + kListBlock - 1) / kListBlock;
  Workspace::Scope scope(ctx.workspace);
  bool* flags = scope.take_array<bool>(blocks);
  bool* next = flags;
  for_tensor_lists<ScaledItem>(
      op.gradients, kListBlock, [](const View& g) { return g.numel(); },
      [](const View& g) {
        return ScaledItem{g.f32(), aligned16(g.data)};
      },
      [&](const TensorList<ScaledItem>& list) {
        launch(unscale_kernel, grid_for(list.blocks(), 1), dim3(kThreads), 0, stream_of(ctx), list,
               op.scale.f32(), next);
        next += list.blocks();
      });
  launch(join_found_kernel, dim3(1), dim3(kThreads), 0, stream_of(ctx), flags, blocks,
         op.found.f32());
}

void run(ExecContext& ctx, const UpdateLossScale& op) {
  launch(update_loss_scale_kernel, dim3(1), dim3(1), 0, stream_of(ctx),
         static_cast<float>(op.rule.growth), static_cast<float>(op.rule.backoff), op.rule.interval,
         op.found.f32(), op.scale.f32(), op.good_steps.as<std::int64_t>());
}

}  // namespace hanok::cuda
