// RUN/report.html: the page of one run, whole or while it trains.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/pages/page.h"
#include "hanok/apps/run_report/run_record.h"
#include "hanok/apps/run_report/sections.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// All sections. Decodes a few dozen photographs where the data are there; `overlays` are drawn
/// beside them. The same record gives the same page.
pages::Page run_page(const RunRecord& run, const Overlays& overlays = {});

/// With Grad-CAM beside the photographs.
pages::Page explained_run_page(const RunRecord& run, training::Reporter& reporter);

/// The curves so far and the folds that are done, without photographs. `running`: a browser loads
/// it again every few seconds.
pages::Page progress_page(const RunRecord& run, bool running);

/// Writes RUN/report.html of a run that has ended and reports its path. A page that cannot be
/// written is a warning: the run itself is whole without it.
void write_report(const training::RunFolder& folder, training::Reporter& reporter);

/// Writes RUN/report.html while a run trains, now and then: never within five seconds of the last
/// one, and never so often that it costs more than 1% of the time. The first failure is a warning,
/// and the last attempt.
class ProgressReport {
 public:
  /// `options` and `data` are the run's and outlive this.
  ProgressReport(const training::RunFolder& folder, const training::Options& options,
                 const training::ExperimentData& data, training::Reporter& reporter);
  void fold_done(const training::FoldResult& result);
  /// After an epoch: `epochs` are all of the run so far.
  void epoch_done(const std::vector<training::EpochMetrics>& epochs);
  /// Interrupted: writes it once more, without loading it again.
  void stop(const std::vector<training::EpochMetrics>& epochs);

 private:
  void write(const std::vector<training::EpochMetrics>& epochs, bool running);

  std::string file_;
  RunRecord run_;
  training::Reporter& reporter_;
  training::Clock::time_point last_;
  double cost_ = 0;  // seconds that the last page took
  bool failed_ = false;
};

}  // namespace hanok::run_report
#pragma GCC visibility pop
