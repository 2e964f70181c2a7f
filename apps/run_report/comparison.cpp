#include "hanok/apps/run_report/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <map>
#include <utility>

#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

using training::FoldResult;
using training::OptionEntry;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// With n - 1; 0 for one value.
double variance_of(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size() - 1);
}

std::map<std::string, std::string> labels_of(const RunRecord& run) {
  std::map<std::string, std::string> labels;
  for (const data::Sample& sample : run.data.dataset.samples) {
    labels[sample.path] = run.class_names()[static_cast<std::size_t>(sample.label)];
  }
  return labels;
}

bool same_folds(const RunRecord& a, const RunRecord& b) {
  if (a.data.folds != b.data.folds || a.data.repeats.size() != b.data.repeats.size()) return false;
  const auto folds_of = [](const RunRecord& run) {
    std::map<std::string, std::vector<int>> folds;
    for (std::size_t i = 0; i < run.data.dataset.samples.size(); ++i) {
      for (const data::Folds& repeat : run.data.repeats) {
        folds[run.data.dataset.samples[i].path].push_back(repeat[i]);
      }
    }
    return folds;
  };
  return folds_of(a) == folds_of(b);
}

std::vector<double> scores_of(const RunRecord& run) {
  std::vector<double> scores;
  for (const FoldResult& fold : run.folds) scores.push_back(fold.confusion.macro_f1());
  return scores;
}

/// Images in a fold over images in the others.
double tested_over_trained(const RunRecord& run) {
  double sum = 0;
  for (const FoldResult& fold : run.folds) {
    const auto tested = static_cast<double>(run.data.validation(fold.fold).size());
    const auto trained = static_cast<double>(run.data.training(fold.fold).size());
    sum += tested / std::max(1.0, trained);
  }
  return sum / static_cast<double>(std::max<std::size_t>(1, run.folds.size()));
}

void set_interval(ScoreDifference& out, double variance_of_mean, std::int64_t freedom) {
  if (freedom < 1) {
    out.low = out.high = kNaN;
    return;
  }
  const double half = t_quantile(freedom) * std::sqrt(variance_of_mean);
  out.low = out.mean - half;
  out.high = out.mean + half;
}

std::string joined(const std::vector<std::string>& values) {
  return fmt::format("{}", fmt::join(values, ", "));
}

/// The values of all options that change the result, but for --seed and where the data lie.
std::vector<std::string> recipe_of(const RunRecord& run) {
  std::vector<std::string> recipe;
  for (const OptionEntry& entry : training::option_table()) {
    if (entry.free_on_resume || entry.name == "seed" || entry.name == "data") continue;
    recipe.push_back(joined(entry.get(run.options)));
  }
  return recipe;
}

}  // namespace

Basis basis_of(const RunRecord& a, const RunRecord& b) {
  if (a.class_names() != b.class_names() || labels_of(a) != labels_of(b)) return Basis::OtherData;
  return same_folds(a, b) ? Basis::SameFolds : Basis::SameImages;
}

std::string describe_basis(const RunRecord& a, const RunRecord& b) {
  switch (basis_of(a, b)) {
    case Basis::SameFolds:
      return "";
    case Basis::SameImages:
      return fmt::format(
          "{} and {} cut the same images into different folds, so a difference also contains the "
          "luck of the split; --folds-file {}/folds.csv gives a new run the folds of the first.",
          a.name, b.name, a.path);
    case Basis::OtherData:
      break;
  }
  if (a.class_names() != b.class_names()) {
    return fmt::format(
        "{} and {} have different classes ({} and {}): their scores cannot be "
        "compared.",
        a.name, b.name, a.class_names().size(), b.class_names().size());
  }
  const std::map<std::string, std::string> in_a = labels_of(a);
  const std::map<std::string, std::string> in_b = labels_of(b);
  std::int64_t shared = 0;
  std::int64_t relabelled = 0;
  for (const auto& [path, label] : in_a) {
    const auto other = in_b.find(path);
    if (other == in_b.end()) continue;
    ++shared;
    relabelled += other->second != label ? 1 : 0;
  }
  return fmt::format(
      "{} and {} have different data ({} and {} images, {} of them in both, {} of these with "
      "another label): their scores cannot be compared.",
      a.name, b.name, in_a.size(), in_b.size(), shared, relabelled);
}

double t_quantile(std::int64_t freedom) {
  static constexpr std::array<double, 30> kTable = {
      12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
      2.2010,  2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
      2.0796,  2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
  if (freedom <= 30) return kTable[static_cast<std::size_t>(freedom - 1)];
  // Cornish-Fisher around the normal distribution's 1.95996; right to 1e-4 from 30 on.
  const double z = 1.959964;
  const auto n = static_cast<double>(freedom);
  return z + (z * z * z + z) / (4 * n) +
         (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * n * n);
}

ScoreDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b,
                                  double tested_over_trained) {
  if (a.size() != b.size() || a.empty()) {
    throw ValueError(
        fmt::format("paired_difference: needs as many scores, got {} and {}", a.size(), b.size()));
  }
  ScoreDifference out;
  out.paired = true;
  out.folds = static_cast<std::int64_t>(a.size());
  std::vector<double> differences;
  for (std::size_t k = 0; k < a.size(); ++k) {
    differences.push_back(b[k] - a[k]);
    out.better += b[k] > a[k] ? 1 : 0;
  }
  out.mean = mean_of(differences);
  const double share = 1 / static_cast<double>(a.size()) + tested_over_trained;
  set_interval(out, share * variance_of(differences), out.folds - 1);
  return out;
}

ScoreDifference unpaired_difference(const std::vector<double>& a, const std::vector<double>& b,
                                    double tested_over_trained) {
  if (a.empty() || b.empty()) {
    throw ValueError(
        fmt::format("unpaired_difference: needs scores, got {} and {}", a.size(), b.size()));
  }
  ScoreDifference out;
  out.folds = static_cast<std::int64_t>(std::min(a.size(), b.size()));
  out.mean = mean_of(b) - mean_of(a);
  const auto of_mean = [tested_over_trained](const std::vector<double>& scores) {
    return (1 / static_cast<double>(scores.size()) + tested_over_trained) * variance_of(scores);
  };
  set_interval(out, of_mean(a) + of_mean(b), out.folds - 1);
  return out;
}

ScoreDifference difference(const RunRecord& a, const RunRecord& b) {
  if (a.folds.empty() || b.folds.empty()) return {};
  if (basis_of(a, b) != Basis::SameFolds) {
    return unpaired_difference(scores_of(a), scores_of(b), tested_over_trained(a));
  }
  std::vector<double> of_a, of_b;
  for (const FoldResult& fold : a.folds) {
    for (const FoldResult& other : b.folds) {
      if (other.fold != fold.fold) continue;
      of_a.push_back(fold.confusion.macro_f1());
      of_b.push_back(other.confusion.macro_f1());
    }
  }
  if (of_a.empty()) return {};
  ScoreDifference out = paired_difference(of_a, of_b, tested_over_trained(a));
  const std::vector<AnswersOfBoth> answers = answers_of_both(a, b);
  if (out.folds > 1 || answers.empty()) return out;
  const auto classes = static_cast<std::int64_t>(a.class_names().size());
  const statistics::Interval interval = difference_intervals(answers, classes).front();
  out.low = interval.low;
  out.high = interval.high;
  out.of_images = true;
  return out;
}

std::vector<std::vector<std::size_t>> seeds_of_one_recipe(const std::vector<RunRecord>& runs) {
  std::map<std::vector<std::string>, std::vector<std::size_t>> by_recipe;
  for (std::size_t i = 0; i < runs.size(); ++i) by_recipe[recipe_of(runs[i])].push_back(i);
  std::vector<std::vector<std::size_t>> out;
  for (const auto& [recipe, members] : by_recipe) {
    // Of one data set, and of each seed the first run: a repetition of a run says nothing.
    std::vector<std::size_t> seeds;
    for (const std::size_t i : members) {
      const bool other = std::all_of(seeds.begin(), seeds.end(), [&](std::size_t known) {
        return runs[known].options.seed != runs[i].options.seed &&
               basis_of(runs[known], runs[i]) != Basis::OtherData;
      });
      if (other) seeds.push_back(i);
    }
    if (seeds.size() > 1) out.push_back(seeds);
  }
  std::sort(out.begin(), out.end());
  return out;
}

double seed_deviation(const std::vector<RunRecord>& runs) {
  double squares = 0;
  double freedom = 0;
  for (const std::vector<std::size_t>& members : seeds_of_one_recipe(runs)) {
    std::vector<double> scores;
    for (const std::size_t i : members) {
      if (!runs[i].folds.empty()) scores.push_back(runs[i].macro_f1());
    }
    if (scores.size() < 2) continue;
    const auto more = static_cast<double>(scores.size() - 1);
    squares += more * variance_of(scores);
    freedom += more;
  }
  return freedom == 0 ? kNaN : std::sqrt(squares / freedom);
}

std::string verdict(const RunRecord& a, const RunRecord& b, double seed_deviation) {
  if (basis_of(a, b) == Basis::OtherData) return describe_basis(a, b);
  const ScoreDifference d = difference(a, b);
  if (d.folds == 0) {
    return fmt::format("{} and {} have no finished fold in common: nothing can be compared yet.",
                       a.name, b.name);
  }
  const std::string better = fmt::format("{} is {} by {:.4f} macro F1", b.name,
                                         d.mean >= 0 ? "better" : "worse", std::abs(d.mean));
  const std::string over =
      d.paired ? fmt::format("paired over {} folds", d.folds) : "over folds that are not the same";
  if (d.of_images) {
    return fmt::format(
        "{} than {} in the one fold that both have done, {} what its images leave to chance (95% "
        "interval {:+.4f} to {:+.4f}); how much folds and seeds differ is unknown. Train more "
        "folds (--fold all).",
        better, a.name, d.beyond_spread() ? "more than" : "no more than", d.low, d.high);
  }
  if (std::isnan(d.low)) {
    return fmt::format(
        "{} than {}, but one of them has one fold alone: how much folds differ is unknown, so this "
        "may be chance. Train more folds (--fold all).",
        better, a.name);
  }
  const std::string interval =
      fmt::format("95% interval {:+.4f} to {:+.4f}, {}", d.low, d.high, over);
  const std::string folds =
      d.paired ? fmt::format("; {} in {} of {} folds", b.name + " is ahead", d.better, d.folds)
               : "";
  if (!d.beyond_spread()) {
    return fmt::format(
        "{} than {}, which does not exceed the spread of the folds ({}{}): take them as equally "
        "good.",
        better, a.name, interval, folds);
  }
  std::string seeds =
      "How much another --seed moves the score is unknown: give runs of other seeds beside these.";
  if (!std::isnan(seed_deviation)) {
    // Twice the standard deviation of a difference of two runs.
    const double needed = 2 * std::sqrt(2.0) * seed_deviation;
    seeds = fmt::format(
        "Seeds alone move the score by {:.4f} (standard deviation), so that a "
        "difference {} {:.4f} {} be chance.",
        seed_deviation, std::abs(d.mean) > needed ? "above" : "below", needed,
        std::abs(d.mean) > needed ? "is unlikely to" : "may still");
  }
  return fmt::format("{} than {}, more than the spread of the folds ({}{}). {}", better, a.name,
                     interval, folds, seeds);
}

std::vector<DifferingOption> differing_options(const std::vector<RunRecord>& runs) {
  std::vector<DifferingOption> out;
  for (const OptionEntry& entry : training::option_table()) {
    if (entry.free_on_resume) continue;
    DifferingOption option{.name = entry.name};
    for (const RunRecord& run : runs) option.values.push_back(joined(entry.get(run.options)));
    const bool same =
        std::all_of(option.values.begin(), option.values.end(),
                    [&option](const std::string& value) { return value == option.values.front(); });
    if (!same) out.push_back(std::move(option));
  }
  return out;
}

std::vector<AnswersOfBoth> answers_of_both(const RunRecord& a, const RunRecord& b) {
  const auto key = [](const RunRecord& run, const Prediction& answer) {
    return std::pair(answer.path, answer.fold / std::max(1, run.data.folds));  // which repeat
  };
  std::map<std::pair<std::string, int>, std::int64_t> of_b;
  for (const Prediction& answer : b.predictions) of_b[key(b, answer)] = answer.answer;
  std::vector<AnswersOfBoth> out;
  for (const Prediction& answer : a.predictions) {
    const auto found = of_b.find(key(a, answer));
    if (found == of_b.end()) continue;
    out.push_back(
        {.group = answer.group, .label = answer.label, .a = answer.answer, .b = found->second});
  }
  return out;
}

std::vector<statistics::Interval> difference_intervals(const std::vector<AnswersOfBoth>& answers,
                                                       std::int64_t classes) {
  std::vector<std::string> groups;
  for (const AnswersOfBoth& image : answers) groups.push_back(image.group);
  const statistics::BootstrapOptions options;
  std::vector<std::vector<double>> differences(
      static_cast<std::size_t>(classes) + 1,
      std::vector<double>(static_cast<std::size_t>(options.draws)));
  const auto compare = [&](std::size_t draw, const std::vector<std::size_t>& drawn) {
    nn::ConfusionMatrix a(classes);
    nn::ConfusionMatrix b(classes);
    for (const std::size_t i : drawn) {
      a.add(answers[i].label, answers[i].a);
      b.add(answers[i].label, answers[i].b);
    }
    const std::vector<nn::ClassScore> of_a = a.per_class();
    const std::vector<nn::ClassScore> of_b = b.per_class();
    differences[0][draw] = b.macro_f1() - a.macro_f1();
    for (std::size_t c = 0; c < of_a.size(); ++c) {
      differences[c + 1][draw] = of_b[c].f1 - of_a[c].f1;
    }
  };
  statistics::for_each_draw(groups, compare, options);
  std::vector<statistics::Interval> out;
  for (std::vector<double>& values : differences) {
    out.push_back(statistics::percentile_interval(std::move(values), options.confidence));
  }
  return out;
}

RightAnswers right_answers(const std::vector<AnswersOfBoth>& answers) {
  RightAnswers out;
  for (const AnswersOfBoth& image : answers) {
    if (image.a == image.label) {
      ++(image.b == image.label ? out.both : out.only_a);
    } else {
      ++(image.b == image.label ? out.only_b : out.neither);
    }
  }
  return out;
}

}  // namespace hanok::run_report
