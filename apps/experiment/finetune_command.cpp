#include "hanok/apps/experiment/finetune_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/manual.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/demo.h"
#include "hanok/apps/experiment/experiment.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/preflight/check.h"
#include "hanok/apps/run/ranks.h"

namespace hanok::training {
namespace {

struct CommandLine {
  Options options;  // defaults, then --demo's, then --config's, then the command line's
  std::vector<std::string> given;  // names of the options on the command line
  std::string out, resume, config, write_synthetic;
  std::int64_t people = kDemoPeople;
  bool demo = false, print_config = false, dry_run = false, check = false, plan = false;
};

/// The values given for each option, in order.
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

/// A resumed run is described by its folder: beside --resume no other option of this section is
/// allowed.
void check_resume_stands_alone(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == "Run" && option->count() > 0 && option->get_name() != "--resume") {
      throw UsageError(fmt::format(
          "--resume: continues in the run's folder, as its config.toml says; leave out {}",
          option->get_name()));
    }
  }
}

/// Options of the program itself, beside those of the table.
void add_program_options(CLI::App& app, CommandLine& command) {
  app.add_option("--out", command.out, "new run folder")->type_name("RUN")->group("Run");
  app.add_option("--resume", command.resume, "resume this run exactly")
      ->type_name("RUN")
      ->group("Run");
  app.add_option("--config", command.config,
                 "TOML file with options; the command line takes precedence")
      ->type_name("FILE")
      ->group("Run");
  app.add_flag("--print-config", command.print_config, "print all options as TOML and exit")
      ->group("Run");
  app.add_flag("--dry-run", command.dry_run, "check data and options, train and write nothing")
      ->group("Run");
  app.add_flag("--check", command.check,
               "check the recipe on one batch and exit: split, labels, first loss, gradients, "
               "overfitting, prediction")
      ->group("Run");
  app.add_flag("--plan", command.plan,
               "measure a few steps and print what the run would take in time and memory, and what "
               "each --mode saves; write nothing")
      ->group("Run");
  app.add_flag("--demo", command.demo,
               "train on synthetic faces written to RUN/data; takes a few minutes")
      ->group("Run");
  app.add_option("--write-synthetic", command.write_synthetic,
                 "write synthetic faces to DIR in the competition's layout and exit")
      ->type_name("DIR")
      ->group("Run");
  app.add_option("--people", command.people, "number of people to draw")
      ->type_name(fmt::format("N ({})", kDemoPeople))
      ->group("Run");
}

/// Empty if --help or the like has printed its text.
std::optional<CommandLine> parse(Arguments arguments, Reporter& reporter) {
  CommandLine command;
  CLI::App app(
      "Fine-tunes a network on photographs.\n"
      "  finetune --data DIR --out RUN [options]     start a run\n"
      "  finetune --resume RUN                       resume an interrupted one\n"
      "  finetune --demo --out RUN                   try it on synthetic faces\n"
      "  finetune --data DIR --check [options]       see whether this recipe can learn at all\n"
      "Exit codes: 0 done, 1 failure, 2 usage, 3 interrupted and saved, 4 loss not finite.",
      "finetune");
  app.get_formatter()->column_width(44);
  add_program_options(app, command);
  Given given;
  std::map<std::string, bool> switches;
  add_table(app, given, switches);
  add_manual_options(app, reporter);
  if (!parse_arguments(app, arguments, reporter)) return {};
  if (!command.resume.empty()) check_resume_stands_alone(app);
  if (command.people < 1) {
    throw UsageError(fmt::format("--people: must be at least 1, got {}", command.people));
  }
  if (command.demo) apply_demo_preset(command.options);
  if (!command.config.empty()) apply_toml_file(command.options, command.config);
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

/// With --resume only options that do not change the result may be given.
void check_given_beside_resume(const CommandLine& command) {
  std::vector<std::string> free;
  for (const OptionEntry& entry : option_table()) {
    if (entry.free_on_resume) free.push_back(entry.name);
  }
  for (const std::string& name : command.given) {
    if (find_option(name).free_on_resume) continue;
    throw UsageError(
        fmt::format("--resume: continues with the options in the run's config.toml; with it only "
                    "--{} may be given (found --{})",
                    fmt::join(free, ", --"), name));
  }
}

int resume(const CommandLine& command, Reporter& reporter) {
  check_given_beside_resume(command);
  return resume_run(command.resume, reporter, [&command](Options& options) {
    for (const std::string& name : command.given) {
      const OptionEntry& entry = find_option(name);
      entry.set(options, entry.get(command.options));
    }
  });
}

int start(const CommandLine& command, Reporter& reporter) {
  if (command.out.empty()) throw UsageError("--out: missing; name a new folder for the run");
  if (!command.demo) return start_run(command.options, command.out, reporter);
  return start_run(command.options, command.out, reporter, [&](const std::string& folder) {
    reporter.print(fmt::format("drawing {} people's faces into {}\n", command.people, folder));
    draw_demo_data(folder, command.people, command.options.seed);
  });
}

/// Several processes train; nothing else.
void check_ranks(const CommandLine& command) {
  if (!has_other_ranks()) return;
  const std::string other = command.check                      ? "--check"
                            : command.dry_run                  ? "--dry-run"
                            : command.plan                     ? "--plan"
                            : command.print_config             ? "--print-config"
                            : !command.write_synthetic.empty() ? "--write-synthetic"
                                                               : "";
  if (other.empty()) return;
  throw UsageError(fmt::format("{}: runs in one process; start it without mpirun", other));
}

}  // namespace

int finetune_command(Arguments arguments, Reporter& reporter) {
  const std::optional<CommandLine> parsed = parse(arguments, reporter);
  if (!parsed) return kSuccess;
  const CommandLine& command = *parsed;
  check_ranks(command);
  watch_for_interrupts();
  if (!command.write_synthetic.empty()) {
    draw_demo_data(command.write_synthetic, command.people, command.options.seed);
    reporter.print(
        fmt::format("drew {} people's faces into {}\n", command.people, command.write_synthetic));
    return kSuccess;
  }
  if (command.print_config) {
    reporter.print(to_toml(command.options));
    return kSuccess;
  }
  if (command.check) return check_recipe(command.options, reporter);
  if (command.dry_run) {
    dry_run(command.options, reporter);
    return kSuccess;
  }
  if (command.plan) {
    plan_run(command.options, reporter);
    return kSuccess;
  }
  return command.resume.empty() ? start(command, reporter) : resume(command, reporter);
}

}  // namespace hanok::training
