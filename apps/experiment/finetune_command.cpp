#include "hanok/apps/experiment/finetune_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/manual.h"
#include "hanok/apps/experiment/experiment.h"

namespace hanok::training {
namespace {

/// What was written behind each option, in order.
using Given = std::map<std::string, std::vector<std::string>>;

void add_table(CLI::App& app, Given& given, std::map<std::string, bool>& switches) {
  const Options defaults;
  for (const OptionEntry& entry : option_table()) {
    CLI::Option* option = nullptr;
    if (entry.kind == OptionEntry::Kind::Switch) {
      option = app.add_flag("--" + entry.name, switches[entry.name], entry.help);
    } else {
      option = app.add_option("--" + entry.name, given[entry.name], entry.help);
      option->allow_extra_args(false);
      option->expected(1);
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      std::string type = entry.choices.empty() ? entry.value_name
                                               : fmt::format("{}", fmt::join(entry.choices, "|"));
      const std::vector<std::string> values = entry.get(defaults);
      if (!values.empty() && !values[0].empty()) type += " (" + values[0] + ")";
      option->type_name(type);
    }
    option->group(entry.section);
  }
}

/// A run's own folder says what it is: beside --resume no other option of this section means a
/// thing.
void check_resume_stands_alone(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == "Run" && option->count() > 0 && option->get_name() != "--resume") {
      throw UsageError(fmt::format(
          "--resume: goes on in the run's folder, as its config.toml says; leave out {}",
          option->get_name()));
    }
  }
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine command;
  command.people = kDemoPeople;
  CLI::App app(
      "Fine-tunes a network on photographs.\n"
      "  finetune --data DIR --out RUN [options]     start a run\n"
      "  finetune --resume RUN                       go on with an interrupted one\n"
      "  finetune --demo --out RUN                   try it on drawn faces\n"
      "  finetune --data DIR --check [options]       see whether this recipe can learn at all\n"
      "Exit codes: 0 done, 1 failure, 2 usage, 3 interrupted and saved, 4 loss not finite.",
      "finetune");
  app.get_formatter()->column_width(44);
  std::string config;
  app.add_option("--out", command.out, "new run folder")->type_name("RUN")->group("Run");
  app.add_option("--resume", command.resume, "go on with this run, exactly")
      ->type_name("RUN")
      ->group("Run");
  app.add_option("--config", config, "TOML file with options; the command line wins")
      ->type_name("FILE")
      ->group("Run");
  app.add_flag("--print-config", command.print_config, "print all options as TOML and end")
      ->group("Run");
  app.add_flag("--dry-run", command.dry_run, "check data and options, train and write nothing")
      ->group("Run");
  app.add_flag("--check", command.check,
               "check the recipe on one batch and end: split, labels, first loss, gradients, "
               "overfitting, prediction")
      ->group("Run");
  app.add_flag("--plan", command.plan,
               "measure a few steps and print what the run would take in time and memory, and what "
               "each --mode saves; write nothing")
      ->group("Run");
  app.add_flag("--demo", command.demo,
               "train on faces drawn into RUN/data, small enough for a few minutes")
      ->group("Run");
  app.add_option("--write-synthetic", command.write_synthetic,
                 "draw faces in the competition's layout into DIR and end")
      ->type_name("DIR")
      ->group("Run");
  app.add_option("--people", command.people, "number of people to draw")
      ->type_name(fmt::format("N ({})", kDemoPeople))
      ->group("Run");
  Given given;
  std::map<std::string, bool> switches;
  add_table(app, given, switches);

  add_manual_options(app);
  if (!parse_arguments(app, argc, argv)) {
    command.done = true;
    return command;
  }
  if (!command.resume.empty()) check_resume_stands_alone(app);
  if (command.people < 1) {
    throw UsageError(fmt::format("--people: must be at least 1, got {}", command.people));
  }

  if (command.demo) apply_demo_preset(command.options);
  if (!config.empty()) apply_toml_file(command.options, config);
  for (const OptionEntry& entry : option_table()) {
    if (entry.kind == OptionEntry::Kind::Switch) {
      if (!switches[entry.name]) continue;
      given[entry.name] = {"true"};
    }
    const std::vector<std::string>& values = given[entry.name];
    if (values.empty()) continue;
    entry.set(command.options, values);
    command.given.push_back(entry.name);
  }
  return command;
}

}  // namespace hanok::training
