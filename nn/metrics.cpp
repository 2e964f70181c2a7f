#include "hanok/nn/metrics.h"

#include <fmt/format.h>
#include <numeric>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(std::int64_t classes) : classes_(classes) {
  if (classes < 1) {
    throw ValueError(fmt::format("ConfusionMatrix: needs at least one class, got {}", classes));
  }
  counts_.resize(static_cast<std::size_t>(classes * classes));
}

void ConfusionMatrix::add(std::int64_t truth, std::int64_t predicted, std::int64_t count) {
  this->count(truth, predicted);  // checks the range
  if (count < 0) throw ValueError(fmt::format("ConfusionMatrix: negative count {}", count));
  counts_[static_cast<std::size_t>(truth * classes_ + predicted)] += count;
}

void ConfusionMatrix::merge(const ConfusionMatrix& other) {
  if (other.classes_ != classes_) {
    throw ShapeError(fmt::format("ConfusionMatrix: {} classes cannot be merged into {}",
                                 other.classes_, classes_));
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

std::int64_t ConfusionMatrix::count(std::int64_t truth, std::int64_t predicted) const {
  if (truth < 0 || truth >= classes_ || predicted < 0 || predicted >= classes_) {
    throw ValueError(
        fmt::format("ConfusionMatrix: true class {} and predicted class {} must be in 0..{}", truth,
                    predicted, classes_ - 1));
  }
  return counts_[static_cast<std::size_t>(truth * classes_ + predicted)];
}

std::int64_t ConfusionMatrix::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

double ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (std::int64_t c = 0; c < classes_; ++c) right += count(c, c);
  return ratio(right, total());
}

std::vector<ClassScore> ConfusionMatrix::per_class() const {
  std::vector<ClassScore> scores(static_cast<std::size_t>(classes_));
  for (std::int64_t c = 0; c < classes_; ++c) {
    std::int64_t truly = 0, predicted = 0;
    for (std::int64_t other = 0; other < classes_; ++other) {
      truly += count(c, other);
      predicted += count(other, c);
    }
    const std::int64_t hits = count(c, c);
    // F1 = 2PR / (P+R) = 2 hits / (support + predicted), defined whenever either count is above 0.
    scores[static_cast<std::size_t>(c)] = {ratio(hits, predicted), ratio(hits, truly),
                                           ratio(2 * hits, truly + predicted), truly};
  }
  return scores;
}

double ConfusionMatrix::macro(double ClassScore::*score) const {
  const auto scores = per_class();
  double sum = 0;
  std::int64_t occurring = 0;
  for (std::int64_t c = 0; c < classes_; ++c) {
    bool occurs = false;
    for (std::int64_t other = 0; other < classes_; ++other) {
      occurs = occurs || count(c, other) > 0 || count(other, c) > 0;
    }
    if (!occurs) continue;
    sum += scores[static_cast<std::size_t>(c)].*score;
    ++occurring;
  }
  return occurring == 0 ? 0 : sum / static_cast<double>(occurring);
}

double ConfusionMatrix::macro_f1() const { return macro(&ClassScore::f1); }
double ConfusionMatrix::macro_precision() const { return macro(&ClassScore::precision); }
double ConfusionMatrix::macro_recall() const { return macro(&ClassScore::recall); }

}  // namespace hanok::nn
