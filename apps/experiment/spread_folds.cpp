#include "hanok/apps/experiment/spread_folds.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/experiment/fold_queue.h"
#include "hanok/apps/experiment/fold_training.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/run_report/run_page.h"

namespace hanok::training {
namespace {

constexpr double kLookSeconds = 1;      // between two looks at what the other ranks have written
constexpr double kVisibleSeconds = 60;  // until all machines see a file that one has written

/// The folds without a result, as the first rank finds them.
std::vector<int> missing_folds(const Run& run) {
  const std::vector<int> selected = selected_folds(run.options, run.data.fold_count);
  std::vector<std::int64_t> done;
  for (const int fold : selected) done.push_back(exists(run.folder.fold_result(fold)) ? 1 : 0);
  ranks().broadcast({done.data(), DType::I64, {static_cast<std::int64_t>(done.size())}}, 0);
  std::vector<int> missing;
  for (std::size_t i = 0; i < selected.size(); ++i) {
    if (done[i] == 0) missing.push_back(selected[i]);
  }
  return missing;
}

/// What the first rank shows of all folds while the ranks train them: the run's metrics and page.
class Overview {
 public:
  Overview(const Run& run, std::vector<int> missing)
      : run_(run),
        missing_(std::move(missing)),
        log_(run.folder),
        page_(run.folder, run.options, run.data, run.reporter) {
    log_.take_over();
    for (const int fold : selected_folds(run.options, run.data.fold_count)) {
      if (std::find(missing_.begin(), missing_.end(), fold) == missing_.end()) add(fold);
    }
  }

  /// Of folds that were done before, without --tensorboard.
  void write_missing_events(run_report::TensorBoardLog& tensorboard) const {
    for (const int fold : selected_folds(run_.options, run_.data.fold_count)) {
      const bool missing = std::find(missing_.begin(), missing_.end(), fold) != missing_.end();
      if (missing || exists(run_.folder.events(fold))) continue;
      tensorboard.write(fold, log_.lines());
    }
  }

  /// Reads, now and then, what the other ranks have written. `own` is the fold that this rank
  /// trains, whose epochs it prints itself.
  void look(std::optional<int> own) {
    if (seconds_since(last_) < kLookSeconds) return;
    gather(own);
    last_ = Clock::now();
  }
  void gather(std::optional<int> own) {
    std::erase_if(missing_, [&](int fold) {
      if (fold == own || !exists(run_.folder.fold_result(fold))) return false;
      const FoldResult result = add(fold);
      run_.reporter.print(fmt::format("fold {} is done: macro F1 {:.4f}, {} epochs\n", fold,
                                      result.confusion.macro_f1(), result.epochs));
      return true;
    });
    if (log_.gather()) page_.epoch_done(log_.lines());
  }

  /// After the training of all ranks.
  void finish(bool whole) {
    if (whole) wait_until_visible();
    gather({});
    log_.take_over();
    if (!whole) stop();
  }
  /// Else the page would say that the run trains.
  void stop() { page_.stop(log_.lines()); }

 private:
  FoldResult add(int fold) {
    const std::string file = run_.folder.fold_result(fold);
    FoldResult result = fold_result_from_json(file, read_file(file));
    page_.fold_done(result);
    return result;
  }

  /// A file system that machines share may show a new file late.
  void wait_until_visible() const {
    const Clock::time_point start = Clock::now();
    for (const int fold : missing_) {
      while (!exists(run_.folder.fold_result(fold))) {
        if (seconds_since(start) > kVisibleSeconds) {
          throw IoError(fmt::format(
              "{}: another rank has written it, and rank 0 does not see it: --out must lie where "
              "all machines see it",
              run_.folder.fold_result(fold)));
        }
        std::error_code ignored;  // looking through the folder makes NFS ask the server
        for (std::filesystem::directory_iterator entry(run_.folder.fold(fold), ignored), end;
             !ignored && entry != end; entry.increment(ignored)) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    }
  }

  const Run& run_;
  std::vector<int> missing_;
  MetricsLog log_;
  run_report::ProgressReport page_;
  Clock::time_point last_ = Clock::now();
};

/// This rank's folds, one after the other, as in a process alone; `overview` is the first rank's.
/// False if it was interrupted.
bool train_own_folds(const Run& run, FoldQueue& queue, Overview* overview) {
  const std::unique_ptr<Communicator> alone = single_rank();
  const RanksScope scope(*alone);
  std::optional<run_report::TensorBoardLog> tensorboard;
  if (run.options.tensorboard) {
    tensorboard.emplace(run.folder, run.options, run.data, run.reporter);
    if (overview != nullptr) overview->write_missing_events(*tensorboard);
  }
  std::optional<FirstFold> first;
  first.emplace(overview != nullptr ? first_fold(run) : FirstFold{});
  while (const std::optional<int> fold = queue.take()) {
    make_folder(run.folder.fold(*fold));
    const RunLock lock(run.folder.fold(*fold));  // wait_for_lost_ranks() looks at it
    MetricsLog log = MetricsLog::of_fold(run.folder, *fold);
    const FoldOutput output{.log = log,
                            .after_epoch =
                                [&] {
                                  if (overview != nullptr) overview->look(*fold);
                                },
                            .tensorboard = tensorboard ? &*tensorboard : nullptr};
    const bool whole = train_fold(run, output, *fold, first ? &*first : nullptr).has_value();
    if (overview != nullptr) {
      append_cudnn_plans(choose_device(run.options.device), run.folder.cudnn_plans_text());
    }
    first.reset();
    if (!whole) return false;
  }
  return true;
}

}  // namespace

bool train_spread_folds(const Run& run) {
  const std::vector<int> missing = missing_folds(run);
  std::optional<Overview> overview;
  if (is_first_rank()) overview.emplace(run, missing);
  ranks().barrier();  // the lines of a fold are where the rank that trains it looks for them
  if (overview && missing.size() < static_cast<std::size_t>(ranks().size())) {
    run.reporter.print(fmt::format("{} folds are left for {} processes: some have none\n",
                                   missing.size(), ranks().size()));
  }
  try {
    FoldQueue queue(ranks(), missing);
    const bool whole = train_own_folds(run, queue, overview ? &*overview : nullptr);
    queue.leave();
    while (!queue.all_left(kLookSeconds)) {
      if (overview) overview->look({});
    }
    const bool all_whole = !any_rank(!whole || queue.has_left_over());
    if (overview) overview->finish(all_whole);
    return all_whole;
  } catch (...) {
    if (overview) overview->stop();
    throw;
  }
}

void wait_for_lost_ranks(const RunFolder& folder, Reporter& reporter) {
  constexpr double kSeconds = 20;  // longer than ranks wait for a sign of life
  const Clock::time_point start = Clock::now();
  for (const std::string& name : folder.own_files()) {
    if (!fold_number(name)) continue;
    const std::string fold = folder.path() + "/" + name;
    bool waiting = false;
    for (std::string process; !(process = process_at_work(fold)).empty();) {
      if (seconds_since(start) > kSeconds) {
        throw UsageError(fmt::format(
            "{}: {}, of a job that was killed, still trains this fold; end it, then resume", fold,
            process));
      }
      if (!std::exchange(waiting, true)) {
        reporter.print(fmt::format("waiting for the end of {}, which trains {}\n", process, fold));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    std::error_code ignored;
    std::filesystem::remove(fold + "/run.lock", ignored);  // nobody holds it
  }
}

}  // namespace hanok::training
