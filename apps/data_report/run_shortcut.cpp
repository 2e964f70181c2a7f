#include "hanok/apps/data_report/run_shortcut.h"

#include <fmt/format.h>
#include <utility>

#include "hanok/apps/data_report/image_header.h"
#include "hanok/apps/data_report/jpeg_tables.h"
#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/metrics.h"

namespace hanok::data_report {
namespace {

constexpr std::size_t kMostRows = 5000;  // of a fold that are measured
constexpr int kShuffles = 999;
constexpr double kLevel = 0.01;      // of all facts together
constexpr double kLeastGain = 0.05;  // above chance

struct FileFacts {
  float bytes = 0, width = 0, height = 0;
  std::string tables{};
};

FileFacts read_facts(const data::Dataset& dataset, std::size_t sample) {
  const std::vector<std::uint8_t> bytes = data::read_sample(dataset, sample);
  FileFacts facts{.bytes = static_cast<float>(bytes.size())};
  if (const auto header = read_image_header(bytes.data(), bytes.size())) {
    facts.width = static_cast<float>(header->width);
    facts.height = static_cast<float>(header->height);
    facts.tables = header->format;
  }
  facts.tables += fmt::format(" {}", read_jpeg_tables(bytes.data(), bytes.size()).hash);
  return facts;
}

std::vector<std::size_t> evenly_spaced(const std::vector<std::size_t>& rows) {
  if (rows.size() <= kMostRows) return rows;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < kMostRows; ++i) chosen.push_back(rows[i * rows.size() / kMostRows]);
  return chosen;
}

struct Question {
  std::string fact;
  statistics::Columns columns;
};

/// Of the rows that are read; the others' values are not used.
std::vector<Question> read_questions(const data::Dataset& dataset,
                                     const std::vector<statistics::FoldRows>& folds) {
  const std::size_t count = dataset.samples.size();
  std::vector<bool> used(count, false);
  for (const statistics::FoldRows& fold : folds) {
    for (const std::size_t row : fold.training) used[row] = true;
    for (const std::size_t row : fold.validation) used[row] = true;
  }
  std::vector<float> bytes(count);
  std::vector<float> width(count);
  std::vector<float> height(count);
  std::vector<std::string> tables(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!used[i]) continue;
    FileFacts facts = read_facts(dataset, i);
    bytes[i] = facts.bytes;
    width[i] = facts.width;
    height[i] = facts.height;
    tables[i] = std::move(facts.tables);
  }
  return {{"the files' sizes in bytes", {{bytes}}},
          {"the photographs' width and height", {{width, height}}},
          {"the files' formats and JPEG tables", {{statistics::categories(tables)}}}};
}

/// Mean over the folds, and all answers together.
double score(const Question& question, const statistics::Target& target,
             const std::vector<statistics::FoldRows>& folds, statistics::Predictions& all) {
  double sum = 0;
  for (const statistics::FoldRows& fold : folds) {
    const statistics::OutOfFold answers =
        statistics::predict_out_of_fold(question.columns, target, {fold});
    nn::ConfusionMatrix matrix(target.classes);
    for (std::size_t i = 0; i < answers.rows.size(); ++i) {
      const std::size_t row = answers.rows[i];
      matrix.add(target.labels[row], answers.predicted[i]);
      all.labels.push_back(target.labels[row]);
      all.predicted.push_back(answers.predicted[i]);
      all.groups.push_back(target.groups[row]);
    }
    sum += matrix.macro_f1();
  }
  return sum / static_cast<double>(folds.size());
}

}  // namespace

std::optional<RunShortcut> shortcut_of_run(const data::Dataset& dataset,
                                           const std::vector<statistics::FoldRows>& folds,
                                           double macro_f1) {
  statistics::Target target;
  target.classes = static_cast<std::int64_t>(dataset.class_names.size());
  for (const data::Sample& sample : dataset.samples) {
    target.labels.push_back(sample.label);
    target.groups.push_back(sample.group);
  }
  std::vector<statistics::FoldRows> measured;
  for (const statistics::FoldRows& fold : folds) {
    if (fold.training.empty() || fold.validation.empty()) return {};
    measured.push_back(
        {.training = evenly_spaced(fold.training), .validation = evenly_spaced(fold.validation)});
  }
  std::vector<Question> questions;
  try {
    questions = read_questions(dataset, measured);
  } catch (const Error&) {
    return {};  // a run whose data are gone can still be reported
  }
  std::optional<RunShortcut> best;
  for (const Question& question : questions) {
    statistics::Predictions all{.classes = target.classes};
    const double own = score(question, target, measured, all);
    if (own < macro_f1 / 2 || (best && own <= best->macro_f1 + kLeastGain)) continue;
    if (own < statistics::chance_macro_f1(all) + kLeastGain) continue;
    const double p_value = statistics::p_value_of_macro_f1(all, kShuffles, 0);
    if (p_value * static_cast<double>(questions.size()) > kLevel) continue;
    best = RunShortcut{.fact = question.fact, .macro_f1 = own};
  }
  return best;
}

}  // namespace hanok::data_report
