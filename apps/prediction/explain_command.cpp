#include "hanok/apps/prediction/explain_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/prediction/explainer.h"
#include "hanok/apps/prediction/explanation_sheet.h"
#include "hanok/apps/run/files.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kMostNeighbours = 6;  // as many as a sheet is wide

void check(const ExplainOptions& options) {
  if (options.run.empty() == options.checkpoint.empty()) {
    throw UsageError("give one of --run RUN or --checkpoint FILE");
  }
  if (options.images.empty()) throw UsageError("IMAGE: missing; name photographs or folders");
  if (!options.data.empty() && options.run.empty()) {
    throw UsageError("--data: says where the photographs of --run RUN are; add that");
  }
  if (!options.out.empty() && !options.out.ends_with(".png")) {
    throw UsageError(fmt::format("--out: {}: the name must end in .png", options.out));
  }
  require_between("--neighbours", options.neighbours, 0, kMostNeighbours);
  check_reading_options(options);
}

}  // namespace

int explain_command(Arguments arguments, Reporter& reporter) {
  CLI::App app(
      "Shows why a network answers as it does: the probabilities, how the folds agree, where it\n"
      "looked (Grad-CAM), and the training photographs that are most alike to it.\n"
      "  explain photo.jpg --run RUN\n"
      "  explain photo.jpg other.jpg --run RUN --out why.png\n"
      "A photograph of the run's own data is answered by the fold that did not train on it.\n"
      "A colour terminal shows the photograph and the first map.\n"
      "Grad-CAM shows places that raised a class's logit, not why they did; a map beside the\n"
      "subject says that the network uses something else.\n"
      "Exit codes: 0 done, 1 failure, 2 usage.",
      "explain");
  ExplainOptions options;
  app.add_option("IMAGE", options.images, "photographs, or folders of them")->type_name("");
  app.add_option("--run", options.run, "run folder of finetune; its folds are averaged")
      ->type_name("RUN");
  app.add_option("--checkpoint", options.checkpoint, "one best.safetensors")->type_name("FILE");
  app.add_option("--data", options.data, "where the run's photographs are now, if they were moved")
      ->type_name("DIR");
  app.add_option("--out", options.out, "PNG to write: the photographs, maps and neighbours")
      ->type_name("FILE");
  app.add_option("--neighbours", options.neighbours,
                 "training photographs to find; 0: none, which saves most of the time");
  add_reading_options(app, options);
  add_manual_options(app, reporter);
  if (!parse_arguments(app, arguments, reporter)) return kSuccess;
  check(options);
  watch_for_interrupts();
  const Clock::time_point start = Clock::now();
  options.maps = reporter.colors() != TextColors::None;  // the text then shows one
  const Explanations explanations = explain(options, reporter);
  reporter.print(
      explanation_text(explanations, {.colors = reporter.colors(), .columns = terminal_columns()}));
  if (!options.out.empty()) {
    const std::vector<std::uint8_t> bytes = data::encode_png(explanation_sheet(explanations));
    write_file(options.out, {bytes.begin(), bytes.end()});
    reporter.print(fmt::format("wrote {}\n", options.out));
  }
  reporter.print(fmt::format("{:.1f} s\n", seconds_since(start)));
  return kSuccess;
}

}  // namespace hanok::training
