#include "hanok/apps/training/samples/corrections.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "hanok/data/csv.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

class CorrectionsReader {
 public:
  CorrectionsReader(const data::Csv& csv, const data::Dataset& dataset,
                    const std::vector<data::BadImage>& bad)
      : csv_(csv),
        dataset_(dataset),
        path_(csv.column("path")),
        label_(csv.column("label")),
        action_(csv.column("action")),
        new_label_(csv.column("new_label")) {
    for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
      sample_of_[dataset.samples[i].path] = i;
      labels_.push_back(dataset.samples[i].label);
    }
    for (const data::BadImage& image : bad) left_out_.insert(image.path);
  }

  std::vector<std::int64_t> read() {
    for (std::size_t row = 0; row < csv_.rows.size(); ++row) apply(row);
    return labels_;
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

  void apply(std::size_t row) {
    const std::vector<std::string>& cells = csv_.rows[row];
    const auto found = sample_of_.find(cells[path_]);
    if (found == sample_of_.end()) {
      if (left_out_.count(cells[path_]) != 0) return;
      fail(row, fmt::format("'{}' is no photograph of {}", cells[path_], dataset_.root));
    }
    const std::size_t sample = found->second;
    if (const auto [line, is_new] = line_of_.emplace(sample, csv_.lines[row]); !is_new) {
      fail(row, fmt::format("'{}' is decided in line {} already", cells[path_], line->second));
    }
    const std::int64_t label = class_named(row, cells[label_]);
    if (label != dataset_.samples[sample].label) {
      fail(row,
           fmt::format(
               "'{}' was labelled '{}' when this was decided and is labelled '{}' now: decide "
               "again",
               cells[path_], cells[label_],
               dataset_.class_names[static_cast<std::size_t>(dataset_.samples[sample].label)]));
    }
    const std::string& action = cells[action_];
    if (action == "relabel") {
      labels_[sample] = class_named(row, cells[new_label_]);
    } else if (action == "drop") {
      labels_[sample] = kDropped;
    } else if (action != "keep") {
      fail(row, fmt::format("action '{}', expected keep, relabel or drop", action));
    }
  }

  const data::Csv& csv_;
  const data::Dataset& dataset_;
  std::size_t path_, label_, action_, new_label_;
  std::map<std::string, std::size_t> sample_of_;
  std::set<std::string> left_out_;               // unreadable images
  std::map<std::size_t, std::int64_t> line_of_;  // of the row that decided a sample
  std::vector<std::int64_t> labels_;
};

}  // namespace

std::vector<std::int64_t> read_corrections(const std::string& csv_path,
                                           const data::Dataset& dataset,
                                           const std::vector<data::BadImage>& bad) {
  const data::Csv csv = data::read_csv(csv_path);
  return CorrectionsReader(csv, dataset, bad).read();
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
