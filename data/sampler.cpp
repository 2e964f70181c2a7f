#include "hanok/data/sampler.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <set>

#include "hanok/data/random.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Samples of each non-empty class, by class.
std::map<std::int64_t, std::vector<std::int64_t>> members_of(
    const std::vector<std::int64_t>& labels) {
  std::map<std::int64_t, std::vector<std::int64_t>> members;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0) members[labels[i]].push_back(static_cast<std::int64_t>(i));
  }
  return members;
}

/// `count` draws from each class that use its samples equally often, up to one.
std::vector<std::int64_t> level(const std::vector<std::int64_t>& labels, std::size_t count,
                                std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order;
  for (auto& [label, members] : members_of(labels)) {
    RandomDraws(seed, RandomStream::Sampler, epoch, label + 1).shuffle(members);
    for (std::size_t i = 0; i < count; ++i) order.push_back(members[i % members.size()]);
  }
  RandomDraws(seed, RandomStream::Sampler, epoch, 0).shuffle(order);
  return order;
}

/// Sizes of the non-empty classes.
std::vector<std::size_t> class_sizes(const std::vector<std::int64_t>& labels) {
  std::vector<std::size_t> sizes;
  for (const auto& entry : members_of(labels)) sizes.push_back(entry.second.size());
  if (sizes.empty()) throw ValueError("epoch_order: no sample has a label");
  return sizes;
}

std::vector<double> balancing_weights(const std::vector<std::int64_t>& labels) {
  std::vector<double> weights(labels.size());
  for (const auto& [label, members] : members_of(labels)) {
    for (const std::int64_t i : members) {
      weights[static_cast<std::size_t>(i)] = 1.0 / static_cast<double>(members.size());
    }
  }
  return weights;
}

}  // namespace

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
  std::vector<double> up_to;  // cumulative weights
  double total = 0;
  for (const double weight : weights) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      throw ValueError("weighted: weight " + std::to_string(up_to.size()) + " is " +
                       std::to_string(weight));
    }
    total += weight;
    up_to.push_back(total);
  }
  if (draws > 0 && !(total > 0)) throw ValueError("weighted: all weights are 0");
  RandomDraws random(seed, RandomStream::Sampler, epoch, 0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(draws));
  for (std::int64_t& index : order) {
    // The first cumulative weight above the draw, so samples of weight 0 are never chosen. If
    // rounding makes the draw equal to the total, the last sample of positive weight is chosen.
    const double draw = random.unit53() * total;
    auto chosen = std::upper_bound(up_to.begin(), up_to.end(), draw);
    if (chosen == up_to.end()) chosen = std::lower_bound(up_to.begin(), up_to.end(), total);
    index = chosen - up_to.begin();
  }
  return order;
}

std::vector<std::int64_t> epoch_order(Sampling sampling, const std::vector<std::int64_t>& labels,
                                      std::uint64_t seed, std::int64_t epoch) {
  const std::int64_t count = static_cast<std::int64_t>(labels.size());
  if (sampling == Sampling::Shuffled) return shuffled(count, seed, epoch);
  const std::vector<std::size_t> sizes = class_sizes(labels);
  if (sampling == Sampling::OverSampled) {
    return level(labels, *std::max_element(sizes.begin(), sizes.end()), seed, epoch);
  }
  if (sampling == Sampling::UnderSampled) {
    return level(labels, *std::min_element(sizes.begin(), sizes.end()), seed, epoch);
  }
  return weighted(balancing_weights(labels), count, seed, epoch);
}

std::string sampling_table(Sampling sampling, const std::vector<std::int64_t>& labels,
                           const std::vector<std::string>& class_names, std::uint64_t seed,
                           std::int64_t epochs) {
  std::vector<std::int64_t> images(class_names.size()), draws(images), unseen(images);
  std::vector<bool> seen(labels.size());
  const auto class_of = [&](std::size_t sample) {
    const std::int64_t label = labels[sample];
    if (label < 0 || label >= static_cast<std::int64_t>(class_names.size())) {
      throw ValueError(fmt::format("sampling_table: sample {} has class {} of {}", sample, label,
                                   class_names.size()));
    }
    return static_cast<std::size_t>(label);
  };
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const std::int64_t i : epoch_order(sampling, labels, seed, epoch)) {
      const std::size_t sample = static_cast<std::size_t>(i);
      seen[sample] = true;
      if (epoch == 0) ++draws[class_of(sample)];
    }
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ++images[class_of(i)];
    if (!seen[i]) ++unseen[class_of(i)];
  }
  std::size_t width = 5;
  for (const std::string& name : class_names) width = std::max(width, name.size());
  std::string table =
      fmt::format("{:<{}}{:>9}{:>9}{:>12}\n", "class", width, "images", "an epoch", "never seen");
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    table += fmt::format("{:<{}}{:>9}{:>9}{:>12}\n", class_names[c], width, images[c], draws[c],
                         unseen[c]);
  }
  return table;
}

}  // namespace hanok::data
