// Random numbers, bit-identical to the CPU backend's: element i is word i % 4 of the Philox counter
// (epoch, step, draw, i / 4). A thread computes one counter, ten rounds of two 32-bit products in
// registers, and writes its four elements with one store.
//
// Epoch and step are read from device memory, so that a replayed step draws new numbers.
//
// Roofline: memory. About 100 integer operations per counter for 16 bytes written (dropout: 16 read
// as well); an H100 issues about 130 in the time of 16 bytes.
#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cuda/ops/storage.h"
#include "hanok/kernels/cuda/runtime/launch.h"
#include "hanok/kernels/primitives/random.h"

namespace hanok::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWords = 4;  // per counter
constexpr double kTwoPi = 6.283185307179586;

struct Draw {
  PhiloxKey key;
  std::uint32_t number;
  const std::int64_t* epoch_step;
};

/// The words of elements begin .. begin + 3; begin is a multiple of 4.
__device__ void draw_words(const Draw& draw, std::int64_t begin, std::uint32_t (&words)[kWords]) {
  words[0] = static_cast<std::uint32_t>(draw.epoch_step[0]);
  words[1] = static_cast<std::uint32_t>(draw.epoch_step[1]);
  words[2] = draw.number;
  words[3] = static_cast<std::uint32_t>(begin / kWords);
  philox_rounds(draw.key, words);
}

/// The number of a counter's elements that exist.
__device__ int words_from(std::int64_t begin, std::int64_t count) {
  return begin + kWords <= count ? kWords : static_cast<int>(count - begin);
}

template <typename T>
__global__ void uniform_kernel(Draw draw, float low, float high, T* out, std::int64_t count,
                               bool aligned) {
  const std::int64_t begin = thread_number() * kWords;
  if (begin >= count) return;
  std::uint32_t words[kWords];
  float values[kWords];
  draw_words(draw, begin, words);
  for (int i = 0; i < kWords; ++i) values[i] = low + (high - low) * to_unit_float(words[i]);
  store_some(values, aligned, words_from(begin, count), out + begin);
}

/// Box-Muller: words a, b -> radius sqrt(-2 ln u) with u = (a + 1/2) / 2^32 in (0, 1), angle 2 pi b
/// / 2^32.
template <typename T>
__global__ void normal_kernel(Draw draw, float mean, float stddev, T* out, std::int64_t count,
                              bool aligned) {
  const std::int64_t begin = thread_number() * kWords;
  if (begin >= count) return;
  std::uint32_t words[kWords];
  float values[kWords];
  draw_words(draw, begin, words);
  for (int i = 0; i < kWords; i += 2) {
    const double u = (static_cast<double>(words[i]) + 0.5) * 0x1p-32;
    const double radius = stddev * sqrt(-2.0 * math::log_double(u));
    // The upper two bits of b, rounded, are the quadrant; the rest the angle within it.
    const std::uint32_t quadrant = (words[i + 1] + 0x20000000U) >> 30;
    const auto rest = static_cast<std::int32_t>(words[i + 1] - (quadrant << 30));
    const double angle = static_cast<double>(rest) * (kTwoPi * 0x1p-32);
    values[i] = static_cast<float>(mean + radius * math::sin_of_quadrant(quadrant + 1, angle));
    values[i + 1] = static_cast<float>(mean + radius * math::sin_of_quadrant(quadrant, angle));
  }
  store_some(values, aligned, words_from(begin, count), out + begin);
}

template <typename T>
__global__ void dropout_kernel(Draw draw, float p, float scale, const T* x, T* y,
                               std::int64_t count, bool aligned) {
  const std::int64_t begin = thread_number() * kWords;
  if (begin >= count) return;
  std::uint32_t words[kWords];
  float values[kWords];
  const int exist = words_from(begin, count);
  draw_words(draw, begin, words);
  load_some(x + begin, aligned, exist, values);
  for (int i = 0; i < kWords; ++i) {
    values[i] = to_unit_float(words[i]) >= p ? values[i] * scale : 0.0F;
  }
  store_some(values, aligned, exist, y + begin);
}

Draw draw_of(const RandomCall& call) {
  return {call.key, call.draw, call.epoch_step.as<std::int64_t>()};
}

}  // namespace

void run(ExecContext& ctx, const RandomUniform& op) {
  const std::int64_t count = op.out.numel();
  if (count == 0) return;
  with_storage(RandomUniform::kName, op.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(uniform_kernel<T>, grid_for(count, kThreads * kWords), dim3(kThreads), 0, stream_of(ctx),
           draw_of(op.call), op.low, op.high, op.out.as<T>(), count, aligned16(op.out.data));
  });
}

void run(ExecContext& ctx, const RandomNormal& op) {
  const std::int64_t count = op.out.numel();
  if (count == 0) return;
  with_storage(RandomNormal::kName, op.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(normal_kernel<T>, grid_for(count, kThreads * kWords), dim3(kThreads), 0, stream_of(ctx),
           draw_of(op.call), op.mean, op.stddev, op.out.as<T>(), count, aligned16(op.out.data));
  });
}

void run(ExecContext& ctx, const Dropout& op) {
  const std::int64_t count = op.y.numel();
  if (count == 0) return;
  const float scale = op.p < 1.0F ? 1.0F / (1.0F - op.p) : 0.0F;
  with_storage(Dropout::kName, op.y.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(dropout_kernel<T>, grid_for(count, kThreads * kWords), dim3(kThreads), 0, stream_of(ctx),
           draw_of(op.call), op.p, scale, op.x.as<T>(), op.y.as<T>(), count,
           aligned16(op.x.data, op.y.data));
  });
}

}  // namespace hanok::cuda
