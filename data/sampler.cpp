#include "data/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/random.h"
#include "kernels/base/error.h"

namespace hanok::data {

std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  if (count < 0) throw ValueError("shuffled: count is " + std::to_string(count));
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  RandomDraws(seed, RandomStream::Shuffle, epoch, 0).shuffle(order);
  return order;
}

std::vector<std::int64_t> weighted(const std::vector<double>& weights, std::int64_t draws,
                                   std::uint64_t seed, std::int64_t epoch) {
  if (draws < 0) throw ValueError("weighted: draws is " + std::to_string(draws));
  std::vector<double> up_to;  // sum of the weights 0..i
  double total = 0;
  for (const double weight : weights) {
    if (!(weight >= 0) || !std::isfinite(weight))
      throw ValueError("weighted: weight " + std::to_string(up_to.size()) + " is " +
                       std::to_string(weight));
    total += weight;
    up_to.push_back(total);
  }
  if (draws > 0 && !(total > 0)) throw ValueError("weighted: all weights are 0");
  RandomDraws random(seed, RandomStream::Sampler, epoch, 0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(draws));
  for (std::int64_t& index : order) {
    // The first sum above the draw; members of weight 0 add nothing, so they are never it. Rounding
    // may bring the draw up to the total: then the last member of positive weight is meant.
    const double draw = random.unit53() * total;
    auto chosen = std::upper_bound(up_to.begin(), up_to.end(), draw);
    if (chosen == up_to.end()) chosen = std::lower_bound(up_to.begin(), up_to.end(), total);
    index = chosen - up_to.begin();
  }
  return order;
}

}  // namespace hanok::data
