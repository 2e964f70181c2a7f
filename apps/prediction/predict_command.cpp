#include "hanok/apps/prediction/predict_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/prediction/predictor.h"
#include "hanok/apps/run/unreadable.h"

namespace hanok::training {
namespace {

void check(const PredictOptions& options) {
  const int sources = (options.runs.empty() ? 0 : 1) + (options.checkpoint.empty() ? 0 : 1) +
                      (options.weights.empty() ? 0 : 1);
  if (sources != 1) {
    throw UsageError("give one of --run RUN, --checkpoint FILE, or --model NAME --weights FILE");
  }
  if (options.weights.empty() != options.model.empty()) {
    throw UsageError("--model NAME and --weights FILE go together");
  }
  if (options.images.empty()) throw UsageError("--images: missing; name folders, files or a CSV");
  if (options.out.empty()) throw UsageError("--out: missing; name the CSV to write");
  check_reading_options(options);
}

}  // namespace

int predict_command(Arguments arguments, Reporter& reporter) {
  CLI::App app(
      "Predicts classes of images, with the preprocessing and classes of the checkpoint.\n"
      "  predict --run RUN --images DIR --out predictions.csv\n"
      "  predict --run RUN --images eval/info.csv --out submission.csv\n"
      "An image that cannot be read has a row without a label that says why; the exit code is 1\n"
      "then, or 0 with --allow-bad.\n"
      "Exit codes: 0 done, 1 failure, 2 usage.",
      "predict");
  PredictOptions options;
  app.add_option("--run", options.runs,
                 "run folder of finetune; its folds are averaged, and several runs if repeated")
      ->type_name("RUN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--checkpoint", options.checkpoint, "one best.safetensors")->type_name("FILE");
  app.add_option("--model", options.model, "network of a bare --weights file")->type_name("NAME");
  app.add_option("--weights", options.weights,
                 "imagenet, or a bare state_dict (.pth, .safetensors) with their preprocessing")
      ->type_name("FILE");
  app.add_option(
         "--images", options.images,
         "folders, files, - (a list of them on standard input), or one CSV with ImageID (then "
         "a submission is written)")
      ->type_name("FILE ...");
  app.add_option("--out", options.out, "CSV to write")->type_name("FILE");
  app.add_flag("--probabilities", options.probabilities, "add each class's probability");
  app.add_flag("--logits", options.logits, "add each class's raw logit");
  app.add_flag("--profile", options.profile,
               "profile the first batches into OUT.profile.json (a trace for "
               "Perfetto), OUT.profile.txt");
  add_reading_options(app, options);
  add_manual_options(app, reporter);
  if (!parse_arguments(app, arguments, reporter)) return kSuccess;
  check(options);
  watch_for_interrupts();
  const PredictSummary summary = predict(options, reporter);
  reporter.print(fmt::format("wrote {} rows to {}\n", summary.rows, options.out));
  reporter.print(fmt::format("{} network{}, {:.1f} s, {:.1f} images/s\n", summary.networks,
                             summary.networks == 1 ? "" : "s", summary.seconds,
                             static_cast<double>(summary.rows) / std::max(summary.seconds, 1e-9)));
  if (summary.unreadable.empty()) return kSuccess;
  const std::string text = fmt::format(
      "{} of {} images cannot be read; their rows have no label but a reason "
      "in the column error",
      summary.unreadable.size(), summary.rows);
  if (!options.allow_bad) {
    throw ValueError(
        fmt::format("{} (--allow-bad accepts that):{}", text, list_unreadable(summary.unreadable)));
  }
  reporter.warn(text + ":" + list_unreadable(summary.unreadable));
  return kSuccess;
}

}  // namespace hanok::training
