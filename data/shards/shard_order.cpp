// The order in which training reads shards: positions in the shards' order, each moved by a random
// distance below the buffer's size, and sorted. It is what a reader with a buffer of that many
// samples could hand out, but is known before anything is read.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "hanok/data/random.h"
#include "hanok/data/sampler.h"
#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

constexpr std::int64_t kShardDraw = 1, kBufferDraw = 2;  // data::shuffled() is draw 0

/// (rank of its shard in this epoch, place in it) of a sample.
using Place = std::pair<std::int64_t, std::int64_t>;

}  // namespace

std::vector<std::int64_t> in_shard_order(const Dataset& dataset, std::vector<std::int64_t> samples,
                                         const ShardOrder& order) {
  if (order.buffer < 1) {
    throw ValueError(fmt::format("in_shard_order: buffer is {}, expected >= 1", order.buffer));
  }
  std::vector<std::int64_t> rank(dataset.shards.size() + 1);
  std::iota(rank.begin(), rank.end(), 0);
  RandomDraws(order.seed, RandomStream::Shuffle, order.epoch, kShardDraw).shuffle(rank);
  const auto place_of = [&](std::int64_t i) {
    const std::optional<ShardMember>& member = dataset.samples[static_cast<std::size_t>(i)].member;
    return member ? Place{rank[member->shard], member->offset} : Place{rank.back(), i};
  };
  std::sort(samples.begin(), samples.end(), [&](std::int64_t a, std::int64_t b) {
    return std::make_pair(place_of(a), a) < std::make_pair(place_of(b), b);
  });
  const bool holds_all = order.buffer >= static_cast<std::int64_t>(samples.size());
  RandomDraws draws(order.seed, RandomStream::Shuffle, order.epoch, kBufferDraw);
  std::vector<std::pair<double, std::int64_t>> moved;
  moved.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    // A buffer of 1 moves nothing: i + [0, 1) keeps the order.
    const double distance = static_cast<double>(order.buffer) * draws.unit53();
    moved.emplace_back((holds_all ? 0.0 : static_cast<double>(i)) + distance,
                       static_cast<std::int64_t>(i));
  }
  std::sort(moved.begin(), moved.end());
  std::vector<std::int64_t> result;
  result.reserve(samples.size());
  for (const auto& entry : moved) result.push_back(samples[static_cast<std::size_t>(entry.second)]);
  return result;
}

}  // namespace hanok::data
