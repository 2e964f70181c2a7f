#include "hanok/apps/label_errors/out_of_fold.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "hanok/apps/cli/errors.h"
#include "hanok/kernels/base/error.h"

namespace hanok::label_errors {
namespace {

using run_report::Prediction;
using run_report::RunRecord;

/// What the predictions of one image add up to.
struct Image {
  std::int64_t label = 0;
  const RunRecord* first = nullptr;  // that has the image
  std::vector<double> sum{};
  std::int64_t predictions = 0;
  std::map<std::size_t, std::int64_t> votes{};  // by number of run and repeat
};

class Joiner {
 public:
  void add(const RunRecord& run) {
    if (!run.finished()) {
      throw training::UsageError(fmt::format(
          "{}: the run is not finished; finish it with finetune --resume {}", run.path, run.path));
    }
    if (first_ == nullptr) first_ = &run;
    if (run.class_names() != first_->class_names()) {
      throw ValueError(
          fmt::format("{} has the classes {}, and {} has {}: compare runs of the same "
                      "data",
                      first_->path, fmt::join(first_->class_names(), ", "), run.path,
                      fmt::join(run.class_names(), ", ")));
    }
    std::size_t repeats = 0;
    for (const Prediction& prediction : run.predictions) {
      const auto repeat = static_cast<std::size_t>(prediction.fold / std::max(1, run.data.folds));
      repeats = std::max(repeats, repeat + 1);
      add(run, prediction, voters_ + repeat);
    }
    voters_ += repeats;
  }

  RunPredictions finish() const {
    RunPredictions out{.class_names = first_->class_names()};
    out.mean.classes = static_cast<std::int64_t>(out.class_names.size());
    out.votes.resize(voters_);
    for (const auto& [path, image] : images_) {
      out.paths.push_back(path);
      out.mean.labels.push_back(image.label);
      for (const double sum : image.sum) {
        out.mean.probabilities.push_back(
            static_cast<float>(std::min(1.0, sum / static_cast<double>(image.predictions))));
      }
      for (std::size_t voter = 0; voter < voters_; ++voter) {
        const auto vote = image.votes.find(voter);
        out.votes[voter].push_back(vote == image.votes.end() ? -1 : vote->second);
      }
    }
    check(out.mean);
    return out;
  }

 private:
  void add(const RunRecord& run, const Prediction& prediction, std::size_t voter) {
    Image& image = images_[prediction.path];
    if (image.first == nullptr) {
      image.first = &run;
      image.label = prediction.label;
      image.sum.assign(run.class_names().size(), 0.0);
    } else if (image.label != prediction.label) {
      const auto name = [&](std::int64_t k) {
        return run.class_names()[static_cast<std::size_t>(k)];
      };
      throw ValueError(fmt::format(
          "'{}' is labelled '{}' in {} and '{}' in {}: compare runs of the same labels",
          prediction.path, name(image.label), image.first->path, name(prediction.label), run.path));
    }
    for (std::size_t k = 0; k < image.sum.size(); ++k) image.sum[k] += prediction.probabilities[k];
    ++image.predictions;
    image.votes[voter] = prediction.answer;
  }

  const RunRecord* first_ = nullptr;
  std::map<std::string, Image> images_;
  std::size_t voters_ = 0;
};

}  // namespace

std::int64_t RunPredictions::index_of(const std::string& path) const {
  const auto at = std::lower_bound(paths.begin(), paths.end(), path);
  return at != paths.end() && *at == path ? at - paths.begin() : -1;
}

RunPredictions join_predictions(const std::vector<RunRecord>& runs) {
  Joiner joiner;
  for (const RunRecord& run : runs) joiner.add(run);
  return joiner.finish();
}

}  // namespace hanok::label_errors
