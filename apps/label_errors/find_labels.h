// Finds suspected label errors in a data set with the runs that were trained on it: the work behind
// `labels`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/label_errors/suspects.h"
#include "hanok/apps/options/reading_options.h"

#pragma GCC visibility push(default)
namespace hanok::label_errors {

using training::Reporter;

struct LabelsOptions : training::ReadingOptions {
  std::vector<std::string> runs{};  // of the same data; features are the first one's
  std::string data{};               // where the photographs are now; empty: where the run says
  std::string report{};             // the page; empty: none
  std::string out{};                // CSV of all images, the most suspect first; empty: none
  /// Decisions that the page starts with; empty: those that the first run with any was trained by.
  std::string corrections{};
  Ranking ranking = Ranking::Combined;
  std::int64_t shown = 200;  // suspects on the page
  std::int64_t neighbours =
      10;  // by which labels are judged; 0: by the networks' predictions alone
};

/// Writes what the options request, and prints the summary and the first suspects. Throws
/// UsageError for runs that are not finished and files that may not be written; IoError,
/// FormatError, also for decisions that do not fit (read_decisions()).
void find_labels(const LabelsOptions& options, Reporter& reporter);

/// What `labels RUN` finds with its defaults, for the process that has just trained the run:
/// writes its labels.html and suspects.csv, and prints the same text. False if interrupted: then
/// nothing is written.
bool find_labels_of_run(const std::string& run, const training::ReadingOptions& reading,
                        Reporter& reporter);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
