// Element i takes word i % 4 of lane i / 4: any block can be drawn by itself.
#include "hanok/kernels/cpu/random.h"

#include <algorithm>

#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/random.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements a task
constexpr std::int64_t kBatch = 512;   // elements whose words are drawn at once, on the stack

/// Calls use(words, begin, count) for batches of elements.
template <typename Use>
void for_words(ExecContext& ctx, Isa isa, const RandomCall& call, std::int64_t total,
               const Use& use) {
  const auto* epoch_step = call.epoch_step.as<std::int64_t>();
  PhiloxCall philox{};
  philox.key[0] = call.key.seed_low;
  philox.key[1] = call.key.seed_high_and_stream;
  philox.epoch = static_cast<std::uint32_t>(epoch_step[0]);
  philox.step = static_cast<std::uint32_t>(epoch_step[1]);
  philox.draw = call.draw;
  ctx.pool.run_blocks(total, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::uint32_t words[kBatch];
    for (std::int64_t at = begin; at < end; at += kBatch) {
      const std::int64_t count = std::min(kBatch, end - at);
      const std::int64_t lanes = (count + 4 * kPhiloxLanes - 1) / (4 * kPhiloxLanes) * kPhiloxLanes;
      kernels_of(isa).random.philox(philox, static_cast<std::uint64_t>(at / 4), lanes, words);
      use(words, at, count);
    }
  });
}

}  // namespace

void random_uniform(ExecContext& ctx, Isa isa, const RandomCall& call, float low, float high,
                    View out) {
  for_words(ctx, isa, call, out.numel(),
            [&](const std::uint32_t* words, std::int64_t begin, std::int64_t count) {
              kernels_of(isa).random.uniform(words, low, high, out.f32() + begin, count);
            });
}

void random_normal(ExecContext& ctx, Isa isa, const RandomCall& call, float mean, float stddev,
                   View out) {
  for_words(ctx, isa, call, out.numel(),
            [&](const std::uint32_t* words, std::int64_t begin, std::int64_t count) {
              float pairs[kBatch];
              kernels_of(isa).random.normal(words, mean, stddev, pairs, count + count % 2);
              std::copy(pairs, pairs + count, out.f32() + begin);
            });
}

void dropout(ExecContext& ctx, Isa isa, const RandomCall& call, float p, ConstView x, View y) {
  const float scale = p < 1.0F ? 1.0F / (1.0F - p) : 0.0F;
  for_words(ctx, isa, call, y.numel(),
            [&](const std::uint32_t* words, std::int64_t begin, std::int64_t count) {
              kernels_of(isa).random.dropout(words, p, scale, x.f32() + begin, y.f32() + begin,
                                             count);
            });
}

}  // namespace hanok::cpu
