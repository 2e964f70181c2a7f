// What the scores of classes need of a confusion matrix: its diagonal and its sums. A draw of the
// bootstrap counts these in one pass, without the matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/nn/metrics.h"

#pragma GCC visibility push(default)
namespace hanok::statistics {

/// Of each class: samples whose label it is, samples whose answer it is, and samples of both.
struct ClassTotals {
  explicit ClassTotals(std::size_t classes) : labels(classes), answers(classes), hits(classes) {}

  void add(std::size_t label, std::size_t answer) {
    ++labels[label];
    ++answers[answer];
    hits[label] += label == answer ? 1 : 0;
  }
  double accuracy() const;
  /// Bit for bit nn::ConfusionMatrix's.
  nn::ClassScore score(std::size_t c) const;
  double macro_f1() const;

  std::vector<std::int64_t> labels, answers, hits;
};

}  // namespace hanok::statistics
#pragma GCC visibility pop
