#include "hanok/apps/preflight/plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/rehearsal.h"
#include "hanok/apps/preflight/scaling_text.h"
#include "hanok/apps/training/samples/fold_samples.h"
#include "hanok/apps/training/training_setup.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

constexpr double kMebibyte = 1 << 20;

template <typename Bytes>
double mebibytes(Bytes bytes) {
  return static_cast<double>(bytes) / kMebibyte;
}

/// Rehearsals by the set of trained parameters: modes share them.
class Stages {
 public:
  /// `job.options` are not used: each call brings its own.
  explicit Stages(const FoldJob& job) : job_(job) {}

  /// Parameters trained in each epoch.
  std::vector<std::int64_t> trainable_by_epoch(const Options& options) const {
    const FoldJob training = job(options);
    const TrainingSetup setup(training, FoldSamples(training));
    std::vector<std::int64_t> counts;
    for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
      if (setup.freezing->apply(*setup.model, epoch) || counts.empty()) {
        counts.push_back(trainable_parameters(*setup.model));
      } else {
        counts.push_back(counts.back());
      }
    }
    return counts;
  }

  /// The rehearsal of an epoch that trains `trainable` parameters.
  const Rehearsal& at(const Options& options, std::int64_t epoch, std::int64_t trainable) {
    const auto found = known_.find(trainable);
    if (found != known_.end()) return found->second;
    // What an earlier rehearsal left behind is not the next one's.
    const Device device = choose_device(options.device);
    context_of(device).workspace.release_all();
    allocator_of(device).release_cached();
    return known_[trainable] = rehearse(job(options), epoch);
  }

 private:
  FoldJob job(const Options& options) const {
    return {.options = options,
            .data = job_.data,
            .reporter = job_.reporter,
            .fold = job_.fold,
            .start_weights = job_.start_weights};
  }

  FoldJob job_;
  std::map<std::int64_t, Rehearsal> known_;
};

/// A whole training: seconds of all its epochs, and its highest peak.
struct Course {
  double seconds = 0, first_epoch_extra = 0;
  std::int64_t epochs = 0;
  MemoryStatistics memory;    // of tensors
  std::int64_t resident = 0;  // of the process
  double mean() const { return seconds / static_cast<double>(epochs); }
};

Course rehearse_course(const Options& options, Stages& stages) {
  Course course;
  const std::vector<std::int64_t> trainable = stages.trainable_by_epoch(options);
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const Rehearsal& now = stages.at(options, epoch, trainable[static_cast<std::size_t>(epoch)]);
    course.seconds += now.epoch_seconds;
    ++course.epochs;
    if (epoch == 0) course.first_epoch_extra = now.first_epoch_extra;
    if (now.memory.peak > course.memory.peak) course.memory = now.memory;
    course.resident = std::max(course.resident, now.resident);
  }
  return course;
}

std::string memory_table(const std::vector<std::pair<std::string, Course>>& courses) {
  std::set<std::string> tags;
  for (const auto& [name, course] : courses) {
    for (const auto& [tag, bytes] : course.memory.peak_by_tag) {
      if (bytes > 0) tags.insert(tag);
    }
  }
  std::string out = fmt::format("{:<24}", "peak memory, MiB");
  for (const auto& [name, course] : courses) out += fmt::format("{:>20}", name);
  out += "\n";
  for (const std::string& tag : tags) {
    out += fmt::format("{:<24}", tag);
    for (const auto& [name, course] : courses) {
      const auto found = course.memory.peak_by_tag.find(tag);
      const std::size_t bytes = found == course.memory.peak_by_tag.end() ? 0 : found->second;
      out += fmt::format("{:>20.2f}", mebibytes(bytes));
    }
    out += "\n";
  }
  out += fmt::format("{:<24}", "all tensors");
  for (const auto& [name, course] : courses) {
    out += fmt::format("{:>20.2f}", mebibytes(course.memory.peak));
  }
  out += fmt::format("\n{:<24}", "the process");
  for (const auto& [name, course] : courses) {
    out += fmt::format("{:>20.2f}", mebibytes(course.resident));
  }
  return out + "\n";
}

}  // namespace

std::string plan_text(const Options& options, const ExperimentData& data,
                      const std::string& start_weights, Reporter& reporter) {
  const std::vector<int> folds = selected_folds(options, data.fold_count);
  Stages stages({.options = options,
                 .data = data,
                 .reporter = reporter,
                 .fold = folds.front(),
                 .start_weights = start_weights});

  std::vector<std::pair<std::string, Course>> courses{
      {"as configured", rehearse_course(options, stages)}};
  for (const FreezingMode mode :
       {FreezingMode::FeatureExtraction, FreezingMode::Gradual, FreezingMode::Finetune}) {
    Options other = options;
    other.mode = mode;
    if (other.cache_features == Caching::Yes) other.cache_features = Caching::Auto;
    courses.emplace_back(name_of(mode), rehearse_course(other, stages));
  }
  const Course& all = courses.back().second;
  // On a GPU the process's memory is not what runs out.
  const bool on_cpu = choose_device(options.device).is_cpu();
  const auto peak = [on_cpu](const Course& course) {
    return on_cpu ? mebibytes(course.resident) : mebibytes(course.memory.peak);
  };
  std::string out = fmt::format("{:<24}{:>16}{:>14}{:>18}{:>14}\n", "mode", "seconds/epoch",
                                "saved", "peak memory MiB", "saved");
  for (const auto& [name, course] : courses) {
    const auto saved = [](double part, double whole) { return 100 * (1 - part / whole); };
    out +=
        fmt::format("{:<24}{:>16.4f}{:>13.0f}%{:>18.1f}{:>13.0f}%\n", name, course.mean(),
                    saved(course.mean(), all.mean()), peak(course), saved(peak(course), peak(all)));
  }
  const Course& own = courses.front().second;
  out += fmt::format(
      "\nEpochs are those from the second on, validation included; savings are against --mode "
      "finetune.\nAs configured: the first epoch takes about {:.1f} s more; {} epochs of {} "
      "fold{}: about {}.\n\n",
      own.first_epoch_extra, own.epochs, folds.size(), folds.size() == 1 ? "" : "s",
      duration_text(static_cast<double>(folds.size()) * (own.seconds + own.first_epoch_extra)));
  return out + memory_table(courses);
}

std::string ranks_text(const Options& options, const ExperimentData& data,
                       const std::string& start_weights, Reporter& reporter, std::int64_t ranks) {
  const FoldJob job{.options = options,
                    .data = data,
                    .reporter = reporter,
                    .fold = selected_folds(options, data.fold_count).front(),
                    .start_weights = start_weights};
  // The last epoch trains the most parameters.
  return scaling_text(rehearse_step_work(job, options.epochs - 1), options.batch_size, ranks,
                      typical_links());
}

std::string describe_peak(const MemoryStatistics& memory) {
  std::vector<std::pair<std::size_t, std::string>> parts;
  for (const auto& [tag, bytes] : memory.peak_by_tag) {
    if (bytes > 0) parts.emplace_back(bytes, tag);
  }
  std::sort(parts.rbegin(), parts.rend());
  std::string out = fmt::format("tensors took {:.2f} MiB at most:", mebibytes(memory.peak));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    out +=
        fmt::format("{} {:.2f} {}", i == 0 ? "" : ",", mebibytes(parts[i].first), parts[i].second);
  }
  return out;
}

}  // namespace hanok::training
