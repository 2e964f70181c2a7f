// Random numbers for ops: positions in Philox streams instead of hidden state.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"
#include "hanok/kernels/base/philox.h"

#pragma GCC visibility push(default)
namespace hanok {

class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0) : seed_(seed) {}

  std::uint64_t seed() const { return seed_; }
  void set_seed(std::uint64_t seed);
  /// Moves to the start of a step: the draws of (epoch, step) do not depend on earlier ones. A
  /// recorded step (engine/recording.h) draws those of the step in which it is replayed.
  void begin_step(std::int64_t epoch, std::int64_t step);
  std::int64_t epoch() const { return epoch_; }
  std::int64_t step() const { return step_; }
  /// Draws so far by stream: of this step (Init: since set_seed()).
  using Draws = std::array<std::uint32_t, 16>;
  const Draws& draws() const { return draws_; }
  /// Goes on from there.
  void set_draws(const Draws& draws) { draws_ = draws; }

  /// The next draw of a stream in this step, for an op on `device`. The Init stream ignores steps:
  /// its draws count from set_seed() on.
  RandomCall next(RandomStream stream, Device device);
  /// The current (epoch, step) on a device: i64 [2], updated in place by begin_step().
  Tensor position(Device device);

  /// The default generator of ops.
  static Generator& global();

  /// While alive, the generator draws once more what it drew from `draws` on.
  class Replay {
   public:
    Replay(Generator& generator, const Draws& draws)
        : generator_(generator), saved_(std::exchange(generator.draws_, draws)) {}
    ~Replay() { generator_.draws_ = saved_; }
    Replay(const Replay&) = delete;
    Replay& operator=(const Replay&) = delete;

   private:
    Generator& generator_;
    Draws saved_;
  };

 private:
  std::uint64_t seed_ = 0;
  std::int64_t epoch_ = 0;
  std::int64_t step_ = 0;
  Draws draws_{};
  std::vector<Tensor> positions_;  // (epoch, step): i64 [2], one per device that requested it
  Tensor origin_;                  // i64 [2]: zeros
};

/// New f32 tensors filled from a generator's Init stream, in order of the logical row-major index.
Tensor random_uniform(const Shape& shape, float low, float high, Generator& generator);
Tensor random_normal(const Shape& shape, float mean, float stddev, Generator& generator);

}  // namespace hanok
#pragma GCC visibility pop
