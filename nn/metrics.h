// Classification metrics, pooled over all samples added, not averaged over batches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::nn {

struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;  // 0 where undefined, as scikit-learn's zero_division=0
  std::int64_t support = 0;                  // samples of this true class
};

/// counts[t][p]: samples of true class t that were predicted as p.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int64_t classes);
  /// Throws ValueError for a class outside 0..classes-1 or a negative count.
  void add(std::int64_t truth, std::int64_t predicted, std::int64_t count = 1);
  /// Adds all counts of `other`. Throws ShapeError for another number of classes.
  void merge(const ConfusionMatrix& other);
  std::int64_t classes() const { return classes_; }
  /// Throws ValueError for a class outside 0..classes-1.
  std::int64_t count(std::int64_t truth, std::int64_t predicted) const;
  /// Number of samples.
  std::int64_t total() const;
  /// Share of samples on the diagonal; 0 if there are no samples.
  double accuracy() const;
  /// Precision, recall, F1 and support of each class, in order.
  std::vector<ClassScore> per_class() const;
  /// Unweighted mean of the F1 of all classes that occur as truth or prediction, as scikit-learn's
  /// f1_score(average="macro").
  double macro_f1() const;
  /// The same for precision and recall.
  double macro_precision() const;
  double macro_recall() const;

 private:
  double macro(double ClassScore::*score) const;
  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
