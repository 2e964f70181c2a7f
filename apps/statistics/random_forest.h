// A random forest (Breiman, "Random Forests", Machine Learning 45, 2001): a classifier for a
// handful of columns that needs no tuning and no scaling, and finds what is not monotonic, such as
// files of one source that have one size.
//
// Values are sorted into at most 256 bins of a column, so that a split costs one pass over a node's
// rows. Every class has the same total weight: in imbalanced data rare classes are found, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/statistics/parallel.h"

#pragma GCC visibility push(default)
namespace hanok::statistics {

/// Columns of equal length. Categories enter as the numbers that categories() gives them.
struct Columns {
  std::vector<std::vector<float>> values{};  // [columns][rows]
  std::size_t rows() const { return values.empty() ? 0 : values.front().size(); }
};

/// A number for each text: 0 for the most frequent one, and so on; equal counts by the text.
std::vector<float> categories(const std::vector<std::string>& texts);

struct ForestOptions {
  int trees = 50;
  int least_in_leaf = 5;  // rows of a leaf
  int most_depth = 12;
  std::uint64_t seed = 0;
  OnDone on_tree{};  // after each tree that has grown
};

class RandomForest {
 public:
  /// Learns `labels` (0..classes-1, one a row) from the rows `rows` of the columns. The same bits
  /// for the same input, whatever the number of threads. Throws ValueError for no rows or columns,
  /// columns of different lengths, labels out of range or values that are NaN.
  RandomForest(const Columns& columns, const std::vector<std::int64_t>& labels,
               std::int64_t classes, const std::vector<std::size_t>& rows,
               const ForestOptions& options = {});

  /// Probabilities of the classes for one row of columns like those learned from. Classes count as
  /// equally frequent.
  std::vector<double> predict(const Columns& columns, std::size_t row) const;

 private:
  struct Node {
    int column = -1;          // -1: a leaf
    float threshold = 0;      // values up to it go left
    std::size_t left = 0;     // the right one follows it
    std::size_t answers = 0;  // of a leaf: where its probabilities begin
  };
  struct Tree {
    std::vector<Node> nodes{};
    std::vector<float> answers{};
  };
  struct TrainingRows;
  class Grower;

  std::size_t classes_;
  std::vector<Tree> trees_;
};

}  // namespace hanok::statistics
#pragma GCC visibility pop
