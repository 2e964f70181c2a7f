#include "hanok/apps/training/samples/corrections.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/data/csv.h"
#include "hanok/data/sample_rows.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

class DecisionsReader {
 public:
  DecisionsReader(const data::Csv& csv, const data::Dataset& dataset)
      : csv_(csv),
        dataset_(dataset),
        label_(csv.column("label")),
        action_(csv.column("action")),
        new_label_(csv.column("new_label")) {}

  /// What row `row` decides about a sample.
  Decision read(std::size_t row, std::size_t sample) const {
    const std::vector<std::string>& cells = csv_.rows[row];
    check_label(row, sample);
    const std::string& action = cells[action_];
    if (action == "keep") return {.sample = sample, .action = Decision::Action::Keep};
    if (action == "drop") return {.sample = sample, .action = Decision::Action::Drop};
    if (action != "relabel") {
      fail(row, fmt::format("action '{}', expected keep, relabel or drop", action));
    }
    if (cells[new_label_].empty()) {
      fail(row, fmt::format("relabel, but no new_label: write there one of the classes {}",
                            fmt::join(dataset_.class_names, ", ")));
    }
    return {.sample = sample,
            .action = Decision::Action::Relabel,
            .new_label = class_named(row, cells[new_label_])};
  }

 private:
  [[noreturn]] void fail(std::size_t row, const std::string& what) const {
    throw FormatError(fmt::format("{}:{}: {}", csv_.path, csv_.lines[row], what));
  }

  std::int64_t class_named(std::size_t row, const std::string& name) const {
    const std::vector<std::string>& names = dataset_.class_names;
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      fail(row, fmt::format("'{}' is no class; the classes are {}", name, fmt::join(names, ", ")));
    }
    return at - names.begin();
  }

  /// The sample has the label that it had when this was decided.
  void check_label(std::size_t row, std::size_t sample) const {
    const std::string& then = csv_.rows[row][label_];
    const std::int64_t now = dataset_.samples[sample].label;
    if (class_named(row, then) == now) return;
    fail(row, fmt::format("'{}' was labelled '{}' when this was decided and is labelled '{}' now: "
                          "decide again",
                          dataset_.samples[sample].path, then,
                          dataset_.class_names[static_cast<std::size_t>(now)]));
  }

  const data::Csv& csv_;
  const data::Dataset& dataset_;
  std::size_t label_, action_, new_label_;
};

}  // namespace

std::vector<Decision> read_decisions(const std::string& csv_path, const data::Dataset& dataset,
                                     const std::vector<data::BadImage>& bad) {
  const data::Csv csv = data::read_csv(csv_path);
  data::Dataset known = dataset;  // and, behind them, the unreadable ones
  for (const data::BadImage& image : bad) known.samples.emplace_back().path = image.path;
  const DecisionsReader reader(csv, dataset);
  const std::vector<std::size_t> samples = data::samples_of_rows(csv, known);
  std::vector<Decision> decisions;
  for (std::size_t row = 0; row < samples.size(); ++row) {
    const bool is_bad = samples[row] >= dataset.samples.size();
    if (!is_bad) decisions.push_back(reader.read(row, samples[row]));
  }
  return decisions;
}

std::vector<std::int64_t> read_corrections(const std::string& csv_path,
                                           const data::Dataset& dataset,
                                           const std::vector<data::BadImage>& bad) {
  std::vector<std::int64_t> labels;
  for (const data::Sample& sample : dataset.samples) labels.push_back(sample.label);
  for (const Decision& decision : read_decisions(csv_path, dataset, bad)) {
    std::int64_t& label = labels[decision.sample];
    if (decision.action == Decision::Action::Relabel) label = decision.new_label;
    if (decision.action == Decision::Action::Drop) label = kDropped;
  }
  return labels;
}

std::string describe_corrections(const std::vector<std::int64_t>& corrected,
                                 const data::Dataset& dataset) {
  std::int64_t changed = 0, dropped = 0;
  for (std::size_t i = 0; i < corrected.size(); ++i) {
    if (corrected[i] == kDropped) {
      ++dropped;
    } else if (corrected[i] != dataset.samples[i].label) {
      ++changed;
    }
  }
  return fmt::format(
      "corrections: {} label{} changed and {} photograph{} dropped for training; validation is "
      "scored against the labels as they were, and beside it against the corrected ones",
      changed, changed == 1 ? "" : "s", dropped, dropped == 1 ? "" : "s");
}

}  // namespace hanok::training
