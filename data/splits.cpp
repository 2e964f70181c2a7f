// Folds. Without shuffling they equal scikit-learn's sample by sample (model_selection/_split.py).
// This requires its order of classes, its tie-breaking and, for groups, NumPy's order of summation.
#include "hanok/data/splits.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <numeric>

#include "hanok/data/random.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// NumPy's pairwise sum of contiguous doubles: eight running sums for 8..128 numbers, halves above.
double numpy_sum(const double* values, std::size_t count) {
  if (count < 8) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += values[i];
    return sum;
  }
  if (count > 128) {
    std::size_t half = count / 2;
    half -= half % 8;
    return numpy_sum(values, half) + numpy_sum(values + half, count - half);
  }
  double r[8];
  for (std::size_t j = 0; j < 8; ++j) r[j] = values[j];
  std::size_t i = 8;
  for (; i < count - count % 8; i += 8) {
    for (std::size_t j = 0; j < 8; ++j) r[j] += values[i + j];
  }
  double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < count; ++i) sum += values[i];
  return sum;
}

double numpy_mean(const std::vector<double>& values) {
  return numpy_sum(values.data(), values.size()) / static_cast<double>(values.size());
}

/// np.std of one contiguous row.
double numpy_std(const double* values, std::size_t count) {
  const double mean = numpy_sum(values, count) / static_cast<double>(count);
  std::vector<double> squares(count);
  for (std::size_t i = 0; i < count; ++i) squares[i] = (values[i] - mean) * (values[i] - mean);
  return std::sqrt(numpy_sum(squares.data(), count) / static_cast<double>(count));
}

/// Labels renumbered 0..classes-1, by first appearance or by value.
struct Classes {
  std::vector<std::size_t> of_sample;
  std::vector<std::int64_t> counts;
};

Classes number_classes(const std::vector<std::int64_t>& labels, bool by_value) {
  std::map<std::int64_t, std::size_t> number;
  for (const std::int64_t label : labels) number.emplace(label, number.size());
  if (by_value) {
    std::size_t next = 0;
    for (auto& entry : number) entry.second = next++;
  }
  Classes classes;
  classes.counts.resize(number.size());
  for (const std::int64_t label : labels) {
    classes.of_sample.push_back(number[label]);
    ++classes.counts[number[label]];
  }
  return classes;
}

void check_folds(const char* what, const Classes& classes, int folds) {
  if (folds < 2) throw ValueError(fmt::format("{}: {} folds, at least 2 are needed", what, folds));
  if (classes.counts.empty()) throw ValueError(fmt::format("{}: there are no samples", what));
  const std::int64_t largest = *std::max_element(classes.counts.begin(), classes.counts.end());
  if (folds > largest) {
    throw ValueError(fmt::format("{}: {} folds, but the largest class has only {} members", what,
                                 folds, largest));
  }
}

/// The samples' groups, in byte order of their names, with each group's class counts.
struct Groups {
  std::vector<std::size_t> of_sample;
  std::size_t count = 0;
  std::size_t class_count = 0;
  std::vector<double> members;  // [group][class]

  const double* row(std::size_t group) const { return members.data() + group * class_count; }
};

Groups number_groups(const char* what, const std::vector<std::string>& names,
                     const Classes& classes) {
  if (names.size() != classes.of_sample.size()) {
    throw ValueError(
        fmt::format("{}: {} labels but {} groups", what, classes.of_sample.size(), names.size()));
  }
  std::map<std::string, std::size_t> number;
  for (const std::string& name : names) number.emplace(name, 0);
  Groups groups;
  for (auto& entry : number) entry.second = groups.count++;
  groups.class_count = classes.counts.size();
  groups.members.resize(groups.count * groups.class_count);
  for (std::size_t i = 0; i < names.size(); ++i) {
    groups.of_sample.push_back(number[names[i]]);
    groups.members[groups.of_sample[i] * groups.class_count + classes.of_sample[i]] += 1;
  }
  return groups;
}

/// Groups with the most uneven class counts come first; ties keep their order, which is random if a
/// seed is given.
std::vector<std::size_t> order_of_groups(const Groups& groups,
                                         std::optional<std::uint64_t> shuffle_seed) {
  std::vector<std::size_t> order(groups.count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (shuffle_seed) RandomDraws(*shuffle_seed, RandomStream::Split, 1, 0).shuffle(order);
  std::vector<double> spread(groups.count);
  for (std::size_t g = 0; g < groups.count; ++g) {
    spread[g] = numpy_std(groups.row(g), groups.class_count);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return spread[a] > spread[b]; });
  return order;
}

/// The imbalance if `group` joined fold `candidate`: the standard deviation over folds of each
/// class's share, averaged over classes.
double unevenness(const std::vector<double>& members, std::size_t folds, std::size_t candidate,
                  const double* group, const std::vector<std::int64_t>& class_counts) {
  const std::size_t classes = class_counts.size();
  std::vector<double> deviation(classes);
  std::vector<double> share(folds);
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t f = 0; f < folds; ++f) {
      const double in_fold = members[f * classes + c] + (f == candidate ? group[c] : 0.0);
      share[f] = in_fold / static_cast<double>(class_counts[c]);
    }
    // NumPy sums along the outer dimension row by row, not pairwise, unless there is only one
    // class: then the column is contiguous.
    if (classes == 1) {
      deviation[c] = numpy_std(share.data(), folds);
      continue;
    }
    double mean = 0;
    for (const double s : share) mean += s;
    mean /= static_cast<double>(folds);
    double squares = 0;
    for (const double s : share) squares += (s - mean) * (s - mean);
    deviation[c] = std::sqrt(squares / static_cast<double>(folds));
  }
  return numpy_mean(deviation);
}

/// np.isclose with its default tolerances.
bool is_close(double a, double b) {
  return std::isfinite(b) && std::abs(a - b) <= 1e-8 + 1e-5 * std::abs(b);
}

}  // namespace

Folds stratified_k_fold(const std::vector<std::int64_t>& labels, int folds,
                        std::optional<std::uint64_t> shuffle_seed) {
  const Classes classes = number_classes(labels, /*by_value=*/false);
  check_folds("stratified_k_fold", classes, folds);
  // Dealing the class-sorted samples round-robin gives the number of each class per fold. The
  // members of a class then fill the folds one after another, in their order.
  const std::size_t fold_count = static_cast<std::size_t>(folds);
  std::vector<std::vector<int>> folds_of_class;
  std::size_t dealt = 0;
  for (std::size_t c = 0; c < classes.counts.size(); ++c) {
    std::vector<std::int64_t> quota(fold_count);
    for (std::int64_t i = 0; i < classes.counts[c]; ++i) ++quota[dealt++ % fold_count];
    std::vector<int> sequence;
    for (std::size_t f = 0; f < fold_count; ++f) {
      sequence.insert(sequence.end(), static_cast<std::size_t>(quota[f]), static_cast<int>(f));
    }
    if (shuffle_seed) {
      RandomDraws(*shuffle_seed, RandomStream::Split, 0, static_cast<std::int64_t>(c))
          .shuffle(sequence);
    }
    folds_of_class.push_back(std::move(sequence));
  }
  Folds result;
  std::vector<std::size_t> next(classes.counts.size());
  for (const std::size_t c : classes.of_sample) result.push_back(folds_of_class[c][next[c]++]);
  return result;
}

Folds stratified_group_k_fold(const std::vector<std::int64_t>& labels,
                              const std::vector<std::string>& groups, int folds,
                              std::optional<std::uint64_t> shuffle_seed) {
  const Classes classes = number_classes(labels, /*by_value=*/true);
  check_folds("stratified_group_k_fold", classes, folds);
  const Groups grouped = number_groups("stratified_group_k_fold", groups, classes);
  const std::size_t fold_count = static_cast<std::size_t>(folds);
  if (fold_count > grouped.count) {
    throw ValueError(fmt::format("stratified_group_k_fold: {} folds, but there are only {} groups",
                                 folds, grouped.count));
  }
  std::vector<double> members(fold_count * grouped.class_count);  // [fold][class]
  std::vector<int> fold_of_group(grouped.count);
  for (const std::size_t g : order_of_groups(grouped, shuffle_seed)) {
    const double* group = grouped.row(g);
    std::size_t best = 0;
    double best_unevenness = std::numeric_limits<double>::infinity();
    double best_size = std::numeric_limits<double>::infinity();
    for (std::size_t f = 0; f < fold_count; ++f) {
      const double value = unevenness(members, fold_count, f, group, classes.counts);
      const double size = numpy_sum(&members[f * grouped.class_count], grouped.class_count);
      if (value < best_unevenness || (is_close(value, best_unevenness) && size < best_size)) {
        best = f;
        best_unevenness = value;
        best_size = size;
      }
    }
    for (std::size_t c = 0; c < grouped.class_count; ++c) {
      members[best * grouped.class_count + c] += group[c];
    }
    fold_of_group[g] = static_cast<int>(best);
  }
  Folds result;
  for (const std::size_t g : grouped.of_sample) result.push_back(fold_of_group[g]);
  return result;
}

std::vector<Folds> repeated_stratified_k_fold(const std::vector<std::int64_t>& labels,
                                              const std::vector<std::string>& groups, int folds,
                                              int repeats, std::uint64_t seed) {
  if (repeats < 1) throw ValueError(fmt::format("repeated_stratified_k_fold: {} repeats", repeats));
  std::vector<Folds> result;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    RandomDraws draws(seed, RandomStream::Split, 2, repeat);
    const std::uint64_t high = draws.bits();
    const std::uint64_t own_seed = high << 32 | draws.bits();
    result.push_back(groups.empty() ? stratified_k_fold(labels, folds, own_seed)
                                    : stratified_group_k_fold(labels, groups, folds, own_seed));
  }
  return result;
}

Folds stratified_hold_out(const std::vector<std::int64_t>& labels,
                          const std::vector<std::string>& groups, double fraction,
                          std::uint64_t seed) {
  if (!(fraction > 0 && fraction < 1)) {
    throw ValueError(fmt::format(
        "stratified_hold_out: the fraction is {}, expected 0 < fraction < 1", fraction));
  }
  if (labels.size() < 2) {
    throw ValueError(fmt::format("stratified_hold_out: {} samples cannot be split", labels.size()));
  }
  std::vector<std::string> names = groups;
  if (names.empty()) {  // each sample its own group; zero-padded, so that byte order is the
                        // samples' order
    for (std::size_t i = 0; i < labels.size(); ++i) names.push_back(fmt::format("{:020}", i));
  }
  const Classes classes = number_classes(labels, /*by_value=*/true);
  const Groups grouped = number_groups("stratified_hold_out", names, classes);
  if (grouped.count < 2) {
    throw ValueError("stratified_hold_out: all samples are in one group, which cannot be split");
  }

  // A group goes to validation if that moves the validation shares of the classes closer to the
  // fraction (least squares), the most uneven groups first.
  std::vector<double> held(grouped.class_count);
  std::vector<int> side(grouped.count, 1);
  const auto distance = [&](const double* added) {
    double sum = 0;
    for (std::size_t c = 0; c < held.size(); ++c) {
      const double count = held[c] + (added ? added[c] : 0.0);
      const double off = count / static_cast<double>(classes.counts[c]) - fraction;
      sum += off * off;
    }
    return sum;
  };
  const std::vector<std::size_t> order = order_of_groups(grouped, seed);
  std::size_t held_groups = 0;
  for (const std::size_t g : order) {
    if (held_groups + 1 == grouped.count || distance(grouped.row(g)) >= distance(nullptr)) continue;
    for (std::size_t c = 0; c < held.size(); ++c) held[c] += grouped.row(g)[c];
    side[g] = 0;
    ++held_groups;
  }
  if (held_groups == 0) side[order.back()] = 0;  // every group is larger than the fraction
  Folds result;
  for (const std::size_t g : grouped.of_sample) result.push_back(side[g]);
  return result;
}

}  // namespace hanok::data
