#include "hanok/apps/label_errors/out_of_fold.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <map>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/data/csv.h"

namespace hanok::label_errors {
namespace {

using training::UsageError;

/// What the rows of one image add up to.
struct Image {
  std::string label{};
  std::vector<double> sum{};
  std::int64_t rows = 0;
  std::map<std::size_t, std::int64_t> votes{};  // by run and repeat
};

double probability_in(const data::Csv& csv, std::size_t row, std::size_t column) {
  const std::string& text = csv.rows[row][column];
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1) {
    return value;
  }
  throw FormatError(fmt::format("{}:{}: the probability of {} is '{}', expected 0 to 1", csv.path,
                                csv.lines[row], csv.header[column], text));
}

data::Csv predictions_of(const std::string& run) {
  const training::RunFolder folder = training::RunFolder::open(run);
  if (!training::exists(folder.predictions())) {
    throw UsageError(
        fmt::format("{}: the run is not finished: it has no predictions.csv; finish it with "
                    "finetune --resume {}",
                    run, run));
  }
  return data::read_csv(folder.predictions());
}

/// Class names are the header's columns behind the fixed ones.
std::vector<std::string> classes_in(const data::Csv& csv) {
  const std::size_t fold = csv.column("fold");
  return {csv.header.begin() + static_cast<std::ptrdiff_t>(fold) + 1, csv.header.end()};
}

class Reader {
 public:
  void add(const std::string& run) {
    const data::Csv csv = predictions_of(run);
    const std::vector<std::string> names = classes_in(csv);
    if (class_names_.empty()) class_names_ = names;
    if (names != class_names_ || names.size() < 2) {
      throw FormatError(fmt::format("{}: has other classes than {}: {} and {}", csv.path,
                                    first_path_, fmt::join(names, ", "),
                                    fmt::join(class_names_, ", ")));
    }
    if (first_path_.empty()) first_path_ = csv.path;
    const std::size_t path = csv.column("path"), label = csv.column("label");
    const std::size_t first_class = csv.column("fold") + 1;
    std::map<std::string, std::size_t> seen;  // of this run: an image has a row a repeat
    std::size_t repeats = 0;
    for (std::size_t r = 0; r < csv.rows.size(); ++r) {
      const std::vector<std::string>& row = csv.rows[r];
      Image& image = images_[row[path]];
      if (image.rows == 0) {
        image.label = row[label];
        image.sum.assign(names.size(), 0.0);
        if (std::find(names.begin(), names.end(), row[label]) == names.end()) {
          throw FormatError(fmt::format("{}:{}: label '{}' is no class of the run", csv.path,
                                        csv.lines[r], row[label]));
        }
      } else if (image.label != row[label]) {
        throw FormatError(fmt::format(
            "{}:{}: '{}' is labelled '{}' here and '{}' in {}: compare runs of the same "
            "labels",
            csv.path, csv.lines[r], row[path], row[label], image.label, first_path_));
      }
      const std::size_t repeat = seen[row[path]]++;
      repeats = std::max(repeats, repeat + 1);
      std::int64_t best = 0;
      std::vector<double> p;
      for (std::size_t k = 0; k < names.size(); ++k) {
        p.push_back(probability_in(csv, r, first_class + k));
        image.sum[k] += p[k];
        if (p[k] > p[static_cast<std::size_t>(best)]) best = static_cast<std::int64_t>(k);
      }
      ++image.rows;
      image.votes[voters_ + repeat] = best;
    }
    voters_ += repeats;
  }

  RunPredictions finish() const {
    RunPredictions out{.class_names = class_names_};
    out.mean.classes = static_cast<std::int64_t>(class_names_.size());
    out.votes.resize(voters_);
    for (const auto& [path, image] : images_) {
      out.paths.push_back(path);
      out.mean.labels.push_back(std::find(class_names_.begin(), class_names_.end(), image.label) -
                                class_names_.begin());
      for (const double sum : image.sum) {
        out.mean.probabilities.push_back(
            static_cast<float>(std::min(1.0, sum / static_cast<double>(image.rows))));
      }
      for (std::size_t v = 0; v < voters_; ++v) {
        const auto vote = image.votes.find(v);
        out.votes[v].push_back(vote == image.votes.end() ? -1 : vote->second);
      }
    }
    check(out.mean);
    return out;
  }

 private:
  std::vector<std::string> class_names_;
  std::string first_path_;
  std::map<std::string, Image> images_;
  std::size_t voters_ = 0;
};

}  // namespace

std::int64_t RunPredictions::index_of(const std::string& path) const {
  const auto at = std::lower_bound(paths.begin(), paths.end(), path);
  return at != paths.end() && *at == path ? at - paths.begin() : -1;
}

RunPredictions read_predictions(const std::vector<std::string>& runs) {
  Reader reader;
  for (const std::string& run : runs) reader.add(run);
  return reader.finish();
}

}  // namespace hanok::label_errors
