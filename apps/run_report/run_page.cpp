#include "hanok/apps/run_report/run_page.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <utility>

#include "hanok/apps/pages/html.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run_report/overlays.h"
#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

constexpr double kLeastSeconds = 5;   // between two pages of a run that trains
constexpr double kMostOfTime = 0.01;  // that these pages may cost
constexpr int kRefreshSeconds = 10;

pages::Page frame(const RunRecord& run, const std::string& state) {
  return {.title = fmt::format("Run {}", run.name),
          .subtitle = fmt::format("{}, {} classes, {}", run.options.model, run.class_names().size(),
                                  state)};
}

/// "2 of 5 folds are done; fold 2 has done epoch 3 of at most 12"
std::string progress_text(const RunRecord& run) {
  if (run.epochs.empty()) return "no epoch is done yet";
  const training::EpochMetrics& last = run.epochs.back();
  return fmt::format("{} of {} folds are done; fold {} has done epoch {} of at most {}",
                     run.folds.size(), run.planned.size(), last.fold, last.epoch,
                     run.options.epochs);
}

}  // namespace

pages::Page run_page(const RunRecord& run, const Overlays& overlays) {
  pages::Page page = frame(run, run.finished() ? fmt::format("{} folds", run.folds.size())
                                               : fmt::format("not finished: {} of {} folds",
                                                             run.folds.size(), run.planned.size()));
  const Intervals intervals = score_intervals(run);
  append(page.blocks, result_section(run, intervals, fit_of(run)));
  append(page.blocks, curve_section(run, unfreezings_by_name(run)));
  append(page.blocks, confusion_section(run));
  append(page.blocks, class_section(run, intervals));
  append(page.blocks, photograph_section(run, overlays));
  append(page.blocks, calibration_section(run));
  append(page.blocks, freezing_section(run));
  append(page.blocks, settings_section(run));
  append(page.blocks, cost_section(run));
  return page;
}

pages::Page explained_run_page(const RunRecord& run, training::Reporter& reporter) {
  const std::vector<std::size_t> shown = numbers_of(choose_photographs(run));
  return run_page(run, grad_cam_overlays(run, shown, reporter));
}

pages::Page progress_page(const RunRecord& run, bool running) {
  pages::Page page = frame(run, running ? "training" : "interrupted");
  page.refresh_seconds = running ? kRefreshSeconds : 0;
  page.blocks.emplace_back(pages::Section{.id = "progress", .title = "So far"});
  page.blocks.emplace_back(
      pages::Paragraph{.text = progress_text(run) + ".", .tone = pages::Tone::Finding});
  if (!run.folds.empty()) {
    page.blocks.emplace_back(pages::Paragraph{
        .text = fmt::format("Macro F1 of the folds that are done is {:.4f}; always answering the "
                            "most frequent class gives {:.4f}.",
                            run.macro_f1(), run.majority_macro_f1())});
  }
  page.blocks.emplace_back(pages::Paragraph{.text = fit_of(run).sentence});
  page.blocks.emplace_back(pages::Paragraph{
      .text = running ? "This page follows the training; photographs and tables come at its end."
                      : fmt::format("`finetune --resume {}` continues the run.", run.path)});
  append(page.blocks, curve_section(run, unfreezings_in_epochs(run)));
  append(page.blocks, settings_section(run));
  return page;
}

void write_report(const training::RunFolder& folder, training::Reporter& reporter) {
  try {
    pages::write_page(folder.report(), explained_run_page(read_run(folder.path()), reporter));
    reporter.print(fmt::format("report: {}\n", folder.report()));
  } catch (const Error& error) {
    reporter.warn(fmt::format("the report was not written: {}", error.what()));
  }
}

ProgressReport::ProgressReport(const training::RunFolder& folder, const training::Options& options,
                               const training::ExperimentData& data, training::Reporter& reporter)
    : file_(folder.report()), reporter_(reporter), last_(training::Clock::now()) {
  run_.path = training::absolute_path(folder.path());
  run_.name = std::filesystem::path(run_.path).filename().string();
  run_.options = options;
  run_.data = data;
  run_.planned = training::selected_folds(options, data.fold_count);
}

void ProgressReport::fold_done(const training::FoldResult& result) {
  const auto behind = std::upper_bound(
      run_.folds.begin(), run_.folds.end(), result,
      [](const training::FoldResult& a, const training::FoldResult& b) { return a.fold < b.fold; });
  run_.folds.insert(behind, result);
}

void ProgressReport::epoch_done(const std::vector<training::EpochMetrics>& epochs) {
  const double wait = std::max(kLeastSeconds, cost_ / kMostOfTime);
  if (training::seconds_since(last_) >= wait) write(epochs, /*running=*/true);
}

void ProgressReport::stop(const std::vector<training::EpochMetrics>& epochs) {
  write(epochs, /*running=*/false);
}

void ProgressReport::write(const std::vector<training::EpochMetrics>& epochs, bool running) {
  if (failed_) return;
  const training::Clock::time_point start = training::Clock::now();
  try {
    run_.epochs = epochs;
    pages::write_page(file_, progress_page(run_, running));
  } catch (const Error& error) {
    failed_ = true;
    reporter_.warn(
        fmt::format("the page of the training so far was not written: {}", error.what()));
  }
  last_ = training::Clock::now();
  cost_ = training::seconds_since(start);
}

}  // namespace hanok::run_report
