#include "hanok/apps/label_errors/labels_command.h"

#include <CLI/CLI.hpp>
#include <string>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/label_errors/find_labels.h"

namespace hanok::label_errors {
namespace {

Ranking ranking_named(const std::string& name) {
  if (name == "self-confidence") return Ranking::SelfConfidence;
  if (name == "margin") return Ranking::Margin;
  return Ranking::Combined;
}

void check(const LabelsOptions& options) {
  if (options.runs.empty()) throw training::UsageError("RUN: missing; name a run of finetune");
  training::require_between("--show", options.shown, 1, 2000);
  training::require_between("--neighbours", options.neighbours, 0, 100);
  training::check_reading_options(options);
}

}  // namespace

int labels_command(training::Arguments arguments, training::Reporter& reporter) {
  CLI::App app(
      "Finds labels that are probably wrong, by predictions of networks that were not trained on\n"
      "the photograph (confident learning), and by the labels of photographs that look like it.\n"
      "  labels RUN --report labels.html\n"
      "  labels seed1 seed2 seed3 --report labels.html --out suspects.csv\n"
      "Decide on the page what to keep, relabel or drop; it saves corrections.csv, which\n"
      "finetune --corrections follows.\n",
      "labels");
  LabelsOptions options;
  std::string ranking = "combined";
  app.add_option("RUN", options.runs,
                 "finished runs of the same data: other seeds make the predictions surer");
  app.add_option("--report", options.report, "the page to write")->type_name("FILE.html");
  app.add_option("--out", options.out, "all photographs as a table, the most suspect first")
      ->type_name("FILE.csv");
  app.add_option("--corrections", options.corrections,
                 "decisions of before, which the page starts with; without it those that a run was "
                 "trained by, if any")
      ->type_name("FILE.csv");
  app.add_option("--data", options.data, "where the photographs are now, if they were moved")
      ->type_name("DIR");
  app.add_option(
         "--ranking", ranking,
         "combined: the label's probability by predictions and neighbours; margin: by predictions, "
         "label against the best other class; self-confidence: by predictions alone")
      ->check(CLI::IsMember({"combined", "margin", "self-confidence"}))
      ->capture_default_str();
  app.add_option("--neighbours", options.neighbours,
                 "nearest photographs whose labels count; 0: none, and no network is run")
      ->capture_default_str();
  app.add_option("--show", options.shown, "suspects on the page")->capture_default_str();
  training::add_reading_options(app, options);
  app.footer(
      "A suspect is not yet an error: look at it. Rare but rightly labelled photographs are\n"
      "suspects, too. Cleaning validation or test images makes scores look better than they are:\n"
      "finetune reports both, against the labels as they were and as they are corrected.\n"
      "Exit codes: 0 done, 1 failure, 2 usage.");
  training::add_manual_options(app, reporter);
  if (!training::parse_arguments(app, arguments, reporter)) return training::kSuccess;
  options.ranking = ranking_named(ranking);
  check(options);
  training::watch_for_interrupts();
  find_labels(options, reporter);
  return training::kSuccess;
}

}  // namespace hanok::label_errors
