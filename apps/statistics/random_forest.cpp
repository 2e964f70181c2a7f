#include "hanok/apps/statistics/random_forest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <numeric>

#include "hanok/data/random.h"
#include "hanok/kernels/base/error.h"

namespace hanok::statistics {
namespace {

constexpr std::size_t kBins = 256;
constexpr std::uint32_t kRowsLane = 2;     // which rows a tree sees
constexpr std::uint32_t kColumnsLane = 3;  // which columns a node tries

/// A column's values as numbers of bins, with the largest value of each bin.
struct Binned {
  std::vector<std::uint8_t> bins{};  // of the chosen rows, in their order
  std::vector<float> upper{};
};

Binned sort_into_bins(const std::vector<float>& values, const std::vector<std::size_t>& rows) {
  std::vector<float> sorted;
  for (const std::size_t row : rows) sorted.push_back(values[row]);
  std::sort(sorted.begin(), sorted.end());
  std::vector<float> distinct = sorted;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  Binned binned;
  if (distinct.size() <= kBins) {
    binned.upper = distinct;
  } else {  // as many rows in each bin
    for (std::size_t bin = 1; bin <= kBins; ++bin) {
      binned.upper.push_back(sorted[sorted.size() * bin / kBins - 1]);
    }
    binned.upper.erase(std::unique(binned.upper.begin(), binned.upper.end()), binned.upper.end());
  }
  for (const std::size_t row : rows) {
    const auto bin = std::lower_bound(binned.upper.begin(), binned.upper.end(), values[row]);
    binned.bins.push_back(static_cast<std::uint8_t>(bin - binned.upper.begin()));
  }
  return binned;
}

void check(const Columns& columns, const std::vector<std::int64_t>& labels, std::int64_t classes,
           const std::vector<std::size_t>& rows) {
  if (columns.values.empty() || rows.empty()) {
    throw ValueError(fmt::format("random forest: {} columns, {} rows to learn from",
                                 columns.values.size(), rows.size()));
  }
  for (const std::vector<float>& column : columns.values) {
    if (column.size() != labels.size()) {
      throw ValueError(fmt::format("random forest: a column of {} values, {} labels", column.size(),
                                   labels.size()));
    }
    for (const float value : column) {
      if (std::isnan(value)) throw ValueError("random forest: a value is NaN");
    }
  }
  for (const std::size_t row : rows) {
    if (labels[row] < 0 || labels[row] >= classes) {
      throw ValueError(
          fmt::format("random forest: label {}, expected 0..{}", labels[row], classes - 1));
    }
  }
}

}  // namespace

std::vector<float> categories(const std::vector<std::string>& texts) {
  std::map<std::string, std::int64_t> counts;
  for (const std::string& text : texts) ++counts[text];
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [text, count] : counts) order.emplace_back(-count, text);
  std::sort(order.begin(), order.end());
  std::map<std::string, float> numbers;
  for (std::size_t i = 0; i < order.size(); ++i) {
    numbers[order[i].second] = static_cast<float>(i);
  }
  std::vector<float> values;
  for (const std::string& text : texts) values.push_back(numbers[text]);
  return values;
}

/// What all trees learn from; rows are numbered in the order of the chosen ones.
struct RandomForest::TrainingRows {
  TrainingRows(const Columns& from, const std::vector<std::int64_t>& label_of, std::size_t count,
               const std::vector<std::size_t>& rows)
      : classes(count), columns(from.values.size()) {
    for_each_index(columns.size(),
                   [&](std::size_t i) { columns[i] = sort_into_bins(from.values[i], rows); });
    std::vector<double> members(classes, 0);
    for (const std::size_t row : rows) {
      labels.push_back(static_cast<std::uint32_t>(label_of[row]));
      members[labels.back()] += 1;
    }
    for (const double of_class : members) weights.push_back(of_class > 0 ? 1 / of_class : 0);
  }

  std::size_t classes;
  std::vector<Binned> columns;
  std::vector<std::uint32_t> labels{};
  std::vector<double> weights{};  // of a row of each class
};

/// Grows one tree.
class RandomForest::Grower {
 public:
  Grower(const TrainingRows& rows, const ForestOptions& options, int tree_number)
      : classes_(rows.classes),
        options_(options),
        columns_(rows.columns),
        labels_(rows.labels),
        weights_(rows.weights),
        number_(tree_number) {
    const auto count = static_cast<double>(columns_.size());
    tried_ = columns_.size() <= 3 ? columns_.size() : static_cast<std::size_t>(std::sqrt(count));
  }

  Tree grow() {
    data::RandomDraws random(options_.seed, RandomStream::Sampler, number_, 0, kRowsLane);
    const std::size_t count = labels_.size();
    // In order, and not as they are drawn: passes over a node's rows then go through memory once.
    std::vector<std::uint32_t> times(count, 0);
    for (std::size_t i = 0; i < count; ++i)
      ++times[random.below(static_cast<std::uint32_t>(count))];
    drawn_.reserve(count);
    for (std::size_t row = 0; row < count; ++row) {
      drawn_.insert(drawn_.end(), times[row], static_cast<std::uint32_t>(row));
    }
    Tree tree;
    tree.nodes.emplace_back();
    split(tree, 0, {.begin = 0, .end = count, .depth = 0});
    return tree;
  }

 private:
  struct Range {
    std::size_t begin = 0, end = 0;  // of drawn_
    int depth = 0;
  };
  struct Split {
    std::size_t column = 0, bin = 0;
    double gain = 0;  // 0: none
  };

  /// The sum of squares of the class weights over their sum: a node's weight less its Gini impurity
  /// times it. A split is the better the larger its two sides' sum of it.
  static double purity(const double* weights, std::size_t classes) {
    double sum = 0;
    double squares = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      sum += weights[c];
      squares += weights[c] * weights[c];
    }
    return sum > 0 ? squares / sum : 0;
  }

  std::vector<double> class_weights(const Range& range) const {
    std::vector<double> weights(classes_, 0);
    for (std::size_t i = range.begin; i < range.end; ++i) {
      weights[labels_[drawn_[i]]] += weights_[labels_[drawn_[i]]];
    }
    return weights;
  }

  void try_column(std::size_t column, const Range& range, const std::vector<double>& all,
                  Split& best) {
    const Binned& binned = columns_[column];
    histogram_.assign(binned.upper.size() * classes_, 0);
    std::array<std::size_t, kBins> rows{};
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const std::uint32_t row = drawn_[i];
      const std::size_t bin = binned.bins[row];
      histogram_[bin * classes_ + labels_[row]] += weights_[labels_[row]];
      ++rows[bin];
    }
    std::vector<double> left(classes_, 0);
    std::vector<double> right = all;
    const double before = purity(all.data(), classes_);
    const auto least = static_cast<std::size_t>(options_.least_in_leaf);
    std::size_t rows_left = 0;
    for (std::size_t bin = 0; bin + 1 < binned.upper.size(); ++bin) {
      if (rows[bin] == 0) continue;
      for (std::size_t c = 0; c < classes_; ++c) {
        left[c] += histogram_[bin * classes_ + c];
        right[c] -= histogram_[bin * classes_ + c];
      }
      rows_left += rows[bin];
      if (rows_left < least) continue;
      if (range.end - range.begin - rows_left < least) break;
      const double gain = purity(left.data(), classes_) + purity(right.data(), classes_) - before;
      if (gain > best.gain + 1e-12) best = {.column = column, .bin = bin, .gain = gain};
    }
  }

  Split best_split(const Range& range, const std::vector<double>& all) {
    std::vector<std::size_t> order(columns_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    data::RandomDraws random(options_.seed, RandomStream::Sampler, number_, nodes_tried_++,
                             kColumnsLane);
    random.shuffle(order);
    Split best;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i >= tried_ && best.gain > 0) break;
      try_column(order[i], range, all, best);
    }
    return best;
  }

  void split(Tree& tree, std::size_t node, const Range& range) {
    const std::vector<double> all = class_weights(range);
    Split best;
    const auto present = std::count_if(all.begin(), all.end(), [](double w) { return w > 0; });
    if (present > 1 && range.depth < options_.most_depth) best = best_split(range, all);
    if (best.gain <= 0) {
      make_leaf(tree, node, all);
      return;
    }
    const Binned& binned = columns_[best.column];
    const auto middle =
        std::stable_partition(drawn_.begin() + static_cast<std::ptrdiff_t>(range.begin),
                              drawn_.begin() + static_cast<std::ptrdiff_t>(range.end),
                              [&](std::uint32_t row) { return binned.bins[row] <= best.bin; });
    const auto cut = static_cast<std::size_t>(middle - drawn_.begin());
    const std::size_t left = tree.nodes.size();
    tree.nodes[node].column = static_cast<int>(best.column);
    tree.nodes[node].threshold = binned.upper[best.bin];
    tree.nodes[node].left = left;
    tree.nodes.resize(left + 2);
    split(tree, left, {.begin = range.begin, .end = cut, .depth = range.depth + 1});
    split(tree, left + 1, {.begin = cut, .end = range.end, .depth = range.depth + 1});
  }

  static void make_leaf(Tree& tree, std::size_t node, const std::vector<double>& weights) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    tree.nodes[node].answers = tree.answers.size();
    for (const double weight : weights) tree.answers.push_back(static_cast<float>(weight / sum));
  }

  std::size_t classes_;
  const ForestOptions& options_;
  const std::vector<Binned>& columns_;
  const std::vector<std::uint32_t>& labels_;
  const std::vector<double>& weights_;
  std::size_t tried_ = 0;  // columns a node tries
  int number_;
  std::int64_t nodes_tried_ = 0;
  std::vector<std::uint32_t> drawn_{};  // the tree's rows, sorted by node
  std::vector<double> histogram_{};     // [bins][classes]
};

RandomForest::RandomForest(const Columns& columns, const std::vector<std::int64_t>& labels,
                           std::int64_t classes, const std::vector<std::size_t>& rows,
                           const ForestOptions& options)
    : classes_(static_cast<std::size_t>(classes)) {
  check(columns, labels, classes, rows);
  const TrainingRows learned(columns, labels, classes_, rows);
  trees_.resize(static_cast<std::size_t>(options.trees));
  for_each_index(
      trees_.size(),
      [&](std::size_t i) { trees_[i] = Grower(learned, options, static_cast<int>(i)).grow(); },
      options.on_tree);
}

std::vector<double> RandomForest::predict(const Columns& columns, std::size_t row) const {
  std::vector<double> sums(classes_, 0);
  for (const Tree& tree : trees_) {
    std::size_t at = 0;
    while (tree.nodes[at].column >= 0) {
      const Node& node = tree.nodes[at];
      const float value = columns.values[static_cast<std::size_t>(node.column)][row];
      at = node.left + (value <= node.threshold ? 0 : 1);
    }
    for (std::size_t c = 0; c < classes_; ++c) sums[c] += tree.answers[tree.nodes[at].answers + c];
  }
  for (double& sum : sums) sum /= static_cast<double>(trees_.size());
  return sums;
}

}  // namespace hanok::statistics
