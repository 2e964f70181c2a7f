#include "hanok/apps/prediction/evaluate_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/prediction/evaluator.h"

namespace hanok::training {
namespace {

void check(const EvaluateOptions& options) {
  if (options.run.empty() == options.checkpoint.empty()) {
    throw UsageError("give one of --run RUN and --checkpoint FILE");
  }
  if (options.data.empty()) throw UsageError("--data: missing; name a folder of labelled images");
  const std::string extension = std::filesystem::path(options.out).extension().string();
  if (!options.out.empty() && extension != ".json" && extension != ".csv") {
    throw UsageError(fmt::format(
        "--out: {}: the name must end in .json (scores) or .csv (one prediction per image)",
        options.out));
  }
  check_reading_options(options);
}

}  // namespace

int evaluate_command(Arguments arguments, Reporter& reporter) {
  CLI::App app(
      "Scores a trained network on labelled images: macro F1, precision, recall and F1 of each\n"
      "class, and the confusion matrix.\n"
      "  evaluate --run RUN --data test/\n"
      "  evaluate --checkpoint RUN/fold_0/best.safetensors --data test/ --out scores.json\n",
      "evaluate");
  EvaluateOptions options;
  app.add_option("--run", options.run,
                 "run folder of finetune; its folds' predictions are averaged")
      ->type_name("RUN");
  app.add_option("--checkpoint", options.checkpoint, "one best.safetensors")->type_name("FILE");
  app.add_option("--data", options.data, "labelled images, with the network's class names")
      ->type_name("DIR");
  add_layout_options(app, options.reading);
  app.add_option(
         "--out", options.out,
         "also write the scores (.json) or a prediction with probabilities per image (.csv)")
      ->type_name("FILE");
  app.add_flag("--allow-missing-classes", options.allow_missing_classes,
               "score data that lack some of the network's classes");
  add_reading_options(app, options);
  app.footer(
      "Macro F1 is the mean of the classes' F1, so that a small class counts as much as a large\n"
      "one; compare it with that of always predicting the most frequent class, printed beside it.\n"
      "Data that the network was trained on give scores that are too good: keep a test set apart.\n"
      "Exit codes: 0 done, 1 failure, 2 usage.");
  add_manual_options(app, reporter);
  if (!parse_arguments(app, arguments, reporter)) return kSuccess;
  check(options);
  watch_for_interrupts();
  evaluate_data(options, reporter);
  return kSuccess;
}

}  // namespace hanok::training
