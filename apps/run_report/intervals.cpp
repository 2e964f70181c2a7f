#include "hanok/apps/run_report/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "hanok/data/random.h"

namespace hanok::run_report {
namespace {

/// The counts that F1 needs, of each class.
struct Counts {
  explicit Counts(std::size_t classes) : both(classes), either(classes) {}
  void clear() {
    std::fill(both.begin(), both.end(), 0);
    std::fill(either.begin(), either.end(), 0);
  }
  void add(std::size_t label, std::size_t answer) {
    if (label == answer) ++both[label];
    ++either[label];
    ++either[answer];
  }
  double f1(std::size_t c) const {
    return either[c] == 0 ? 0 : 2 * static_cast<double>(both[c]) / static_cast<double>(either[c]);
  }
  double macro_f1() const {
    double sum = 0;
    std::size_t occurring = 0;
    for (std::size_t c = 0; c < either.size(); ++c) {
      if (either[c] == 0) continue;
      sum += f1(c);
      ++occurring;
    }
    return occurring == 0 ? 0 : sum / static_cast<double>(occurring);
  }

  std::vector<std::int64_t> both;    // images of the class that were answered with it
  std::vector<std::int64_t> either;  // images of the class, plus answers of it
};

using LabelAndAnswer = std::pair<std::size_t, std::size_t>;

}  // namespace

Resamples resample_scores(const std::vector<Prediction>& predictions, std::int64_t classes,
                          const BootstrapOptions& options) {
  std::map<std::string, std::vector<LabelAndAnswer>> by_name;
  for (const Prediction& prediction : predictions) {
    by_name[prediction.group].emplace_back(prediction.label, prediction.answer);
  }
  std::vector<std::vector<LabelAndAnswer>> groups;
  for (auto& [name, members] : by_name) groups.push_back(std::move(members));

  Resamples out;
  out.groups = static_cast<std::int64_t>(groups.size());
  out.f1.resize(static_cast<std::size_t>(classes));
  if (groups.empty()) return out;
  Counts counts(static_cast<std::size_t>(classes));
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    data::RandomDraws draws(options.seed, RandomStream::Sampler, r, 0);
    counts.clear();
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const std::uint32_t drawn = draws.below(static_cast<std::uint32_t>(groups.size()));
      for (const auto& [label, answer] : groups[drawn]) counts.add(label, answer);
    }
    out.macro_f1.push_back(counts.macro_f1());
    for (std::size_t c = 0; c < out.f1.size(); ++c) out.f1[c].push_back(counts.f1(c));
  }
  return out;
}

Interval middle_interval(std::vector<double> values) {
  if (values.empty()) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    return {none, none};
  }
  std::sort(values.begin(), values.end());
  const auto quantile = [&values](double share) {
    const double at = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (at - std::floor(at)) * (values[above] - values[below]);
  };
  return {quantile(0.025), quantile(0.975)};
}

}  // namespace hanok::run_report
