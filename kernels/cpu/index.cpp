#include "hanok/kernels/primitives/index.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/cpu/call.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements a task
constexpr std::int64_t kLanes = 512;    // neighbouring lanes a task

/// Calls task(o, first lane, last lane) for runs of lanes of each outer index; a lane belongs to
/// one task, so what is summed along it has one order.
template <typename Task>
void for_lane_runs(ExecContext& ctx, const GatherShape& shape, const Task& task) {
  const std::int64_t runs = (shape.inner + kLanes - 1) / kLanes;
  ctx.pool.run(shape.outer * runs, [&](std::int64_t i) {
    const std::int64_t first = i % runs * kLanes;
    task(i / runs, first, std::min(first + kLanes, shape.inner));
  });
}

/// The index for row j of outer block o: one for all lanes, or the first of one for each.
const std::int64_t* indices_of(const GatherShape& shape, ConstView indices, std::int64_t o,
                               std::int64_t j) {
  const auto* all = indices.as<std::int64_t>();
  return shape.shared ? all + j : all + (o * shape.count + j) * shape.inner;
}

template <typename T>
void gather_elements(ExecContext& ctx, const GatherShape& shape, ConstView x, ConstView indices,
                     View y) {
  for_lane_runs(ctx, shape, [&](std::int64_t o, std::int64_t first, std::int64_t last) {
    const T* block = x.as<T>() + o * shape.length * shape.inner;
    for (std::int64_t j = 0; j < shape.count; ++j) {
      const std::int64_t* index = indices_of(shape, indices, o, j);
      T* row = y.as<T>() + (o * shape.count + j) * shape.inner;
      if (shape.shared) {
        std::copy(block + *index * shape.inner + first, block + *index * shape.inner + last,
                  row + first);
      } else {
        for (std::int64_t i = first; i < last; ++i) row[i] = block[index[i] * shape.inner + i];
      }
    }
  });
}

}  // namespace

void run(const Call& call, const Select& op) {
  const auto* chosen = static_cast<const std::uint8_t*>(op.condition.data);
  const auto* left = static_cast<const float*>(op.a.data);
  const auto* right = static_cast<const float*>(op.b.data);
  const StridedLoop<4> loop(op.a.sizes, {row_major_strides(op.a.sizes), op.condition.strides,
                                         op.a.strides, op.b.strides});
  const auto steps = loop.row_steps();
  call.ctx.pool.run_blocks(op.out.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    loop.for_rows(begin, end, [&](const auto& at, std::int64_t length) {
      float* row = op.out.f32() + at[0];
      for (std::int64_t i = 0; i < length; ++i) {
        row[i] = chosen[at[1] + i * steps[1]] != 0 ? left[at[2] + i * steps[2]]
                                                   : right[at[3] + i * steps[3]];
      }
    });
  });
}

void run(const Call& call, const Gather& op) {
  const GatherShape& shape = op.shape;
  switch (size_of(op.x.dtype)) {
    case 1:
      return gather_elements<std::uint8_t>(call.ctx, shape, op.x, op.indices, op.y);
    case 2:
      return gather_elements<std::uint16_t>(call.ctx, shape, op.x, op.indices, op.y);
    case 4:
      return gather_elements<std::uint32_t>(call.ctx, shape, op.x, op.indices, op.y);
    default:
      return gather_elements<std::uint64_t>(call.ctx, shape, op.x, op.indices, op.y);
  }
}

void run(const Call& call, const GatherBackward& op) {
  const GatherShape& shape = op.shape;
  for_lane_runs(call.ctx, shape, [&](std::int64_t o, std::int64_t first, std::int64_t last) {
    float* block = op.dx.f32() + o * shape.length * shape.inner;
    for (std::int64_t l = 0; l < shape.length; ++l) {
      std::fill(block + l * shape.inner + first, block + l * shape.inner + last, 0.0F);
    }
    for (std::int64_t j = 0; j < shape.count; ++j) {
      const std::int64_t* index = indices_of(shape, op.indices, o, j);
      const float* row = op.dy.f32() + (o * shape.count + j) * shape.inner;
      for (std::int64_t i = first; i < last; ++i) {
        block[index[shape.shared ? 0 : i] * shape.inner + i] += row[i];
      }
    }
  });
}

void run(const Call& call, const TopK& op) {
  const std::int64_t length = op.lanes.length;
  const std::int64_t inner = op.lanes.inner;
  const std::int64_t grain = std::max<std::int64_t>(kGrain / std::max<std::int64_t>(length, 1), 1);
  call.ctx.pool.run_blocks(
      op.lanes.outer * inner, grain, [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::int64_t> order(static_cast<std::size_t>(length));
        for (std::int64_t at = begin; at < end; ++at) {
          const float* lane = op.x.f32() + at / inner * length * inner + at % inner;
          std::iota(order.begin(), order.end(), 0);
          // A total order: NaN above all numbers, equal values by index.
          const auto before = [&](std::int64_t a, std::int64_t b) {
            const float left = lane[a * inner];
            const float right = lane[b * inner];
            const bool left_nan = left != left;
            const bool right_nan = right != right;
            if (left_nan != right_nan) return left_nan;
            if (!left_nan && left != right) return left > right;
            return a < b;
          };
          std::partial_sort(order.begin(), order.begin() + op.k, order.end(), before);
          for (std::int64_t j = 0; j < op.k; ++j) {
            const std::int64_t index = order[static_cast<std::size_t>(j)];
            const std::int64_t to = (at / inner * op.k + j) * inner + at % inner;
            op.values.f32()[to] = lane[index * inner];
            op.indices.as<std::int64_t>()[to] = index;
          }
        }
      });
}

}  // namespace hanok::cpu
