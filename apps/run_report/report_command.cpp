#include "hanok/apps/run_report/report_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <string>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/run_lock.h"
#include "hanok/apps/run_report/comparison_page.h"
#include "hanok/apps/run_report/run_page.h"

namespace hanok::run_report {
namespace {

using training::UsageError;

struct Request {
  std::vector<std::string> runs;
  std::string out;
  bool quiet = false;
};

/// Where the page goes. Throws UsageError if that is one of the runs' own files.
std::string page_path(const Request& request) {
  if (request.out.empty()) {
    return request.runs.size() == 1 ? training::RunFolder::open(request.runs[0]).report()
                                    : "comparison.html";
  }
  const std::filesystem::path out = training::absolute_path(request.out);
  const std::string extension = out.extension().string();
  if (extension != ".html" && extension != ".htm") {
    throw UsageError(fmt::format("--out: {}: the name of the page must end in .html", request.out));
  }
  for (const std::string& run : request.runs) {
    if (out.parent_path() != training::absolute_path(run)) continue;
    if (out.filename() == "report.html" && request.runs.size() > 1) {
      throw UsageError(
          fmt::format("--out: {} is the page of that run alone; name another file", request.out));
    }
  }
  return request.out;
}

std::vector<RunRecord> read_runs(const Request& request, training::Reporter& reporter) {
  std::set<std::string> seen;
  std::vector<RunRecord> runs;
  for (const std::string& path : request.runs) {
    runs.push_back(read_run(path));
    if (!seen.insert(runs.back().path).second) {
      throw UsageError(fmt::format("{}: named twice", path));
    }
    if (!runs.back().finished()) training::warn_of_training(path, reporter);
  }
  return runs;
}

}  // namespace

int report_command(training::Arguments arguments, training::Reporter& reporter) {
  CLI::App app(
      "Writes what a run was and how good it is as one page to look at, and prints it as text.\n"
      "  report RUN                  RUN/report.html, anew\n"
      "  report RUN RUN...           comparison.html: which run is better, and is that chance?\n",
      "report");
  Request request;
  app.add_option("RUN", request.runs, "run folders of finetune")->required();
  app.add_option("--out", request.out, "the page to write")->type_name("FILE.html");
  app.add_flag("--quiet", request.quiet, "print the path of the page alone");
  app.footer(
      "finetune writes RUN/report.html itself: while it trains with the curves so far, at its end\n"
      "with everything. The page needs nothing but a browser. Photographs are shown if the data\n"
      "are still where the run read them.\n"
      "Runs are compared fold by fold where they have the same folds.csv: give the second run\n"
      "--folds-file FIRST/folds.csv, or the same --seed. A difference counts only if it exceeds\n"
      "what folds and seeds differ by.\n"
      "Example: report runs/first\n"
      "Example: report runs/first runs/second --out first-second.html\n"
      "Exit codes: 0 done, 1 failure, 2 usage.");
  training::add_manual_options(app, reporter);
  if (!training::parse_arguments(app, arguments, reporter)) return training::kSuccess;
  const std::string path = page_path(request);
  training::check_can_be_written(path);
  std::vector<RunRecord> runs = read_runs(request, reporter);
  const pages::Page page = runs.size() == 1 ? explained_run_page(runs.front(), reporter)
                                            : comparison_page(std::move(runs));
  pages::write_page(path, page);
  if (!request.quiet) reporter.print(pages::to_text(page, training::terminal_columns()));
  reporter.print(fmt::format("report: {}\n", path));
  return training::kSuccess;
}

}  // namespace hanok::run_report
