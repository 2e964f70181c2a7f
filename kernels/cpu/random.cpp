// Element i takes word i % 4 of lane i / 4: any block can be drawn by itself.

#include "hanok/kernels/primitives/random.h"

#include <algorithm>

#include "hanok/kernels/cpu/call.h"
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

void run(const Call& call, const RandomUniform& op) {
  for_words(call.ctx, call.isa, op.call, op.out.numel(),
            [&](const std::uint32_t* words, std::int64_t begin, std::int64_t count) {
              kernels_of(call.isa).random.uniform(words, op.low, op.high, op.out.f32() + begin,
                                                  count);
            });
}

void run(const Call& call, const RandomNormal& op) {
  for_words(call.ctx, call.isa, op.call, op.out.numel(),
            [&](const std::uint32_t* words, std::int64_t begin, std::int64_t count) {
              float pairs[kBatch];
              kernels_of(call.isa).random.normal(words, op.mean, op.stddev, pairs,
                                                 count + count % 2);
              std::copy(pairs, pairs + count, op.out.f32() + begin);
            });
}

void run(const Call& call, const Dropout& op) {
  const float scale = op.p < 1.0F ? 1.0F / (1.0F - op.p) : 0.0F;
  for_words(call.ctx, call.isa, op.call, op.y.numel(),
            [&](const std::uint32_t* words, std::int64_t begin, std::int64_t count) {
              kernels_of(call.isa).random.dropout(words, op.p, scale, op.x.f32() + begin,
                                                  op.y.f32() + begin, count);
            });
}

}  // namespace hanok::cpu
