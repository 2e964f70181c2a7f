#include "hanok/apps/cli/manual.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/help.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/cli/version_text.h"
#include "hanok/nn/state_dict.h"

namespace hanok::training {
namespace {

std::vector<const CLI::Option*> visible_options(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// The placeholder of the option's value: "N (12)"; empty for a switch.
std::string value_of(const CLI::Option& option) {
  return option.get_items_expected_max() == 0 ? "" : option.get_type_name();
}

/// "--out", or "DIR" for what has no name of its own on the command line.
std::string name_of(const CLI::Option& option) {
  return option.get_positional() ? option.get_single_name() : option.get_name(false, true);
}

// ---- the manual ----

/// Text for troff: no line is parsed as a request, hyphens stay hyphens.
std::string escaped(const std::string& text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    line_start = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string unfilled(const std::string& text) { return ".nf\n" + escaped(text) + "\n.fi\n"; }

/// Options under a heading for each group, in their order.
std::string option_sections(const CLI::App& app) {
  std::string out;
  std::string group;
  for (const CLI::Option* option : visible_options(app)) {
    if (option->get_group() != group) {
      group = option->get_group();
      out += fmt::format(".SS {}\n", escaped(group));
    }
    const std::string value = value_of(*option);
    out += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", escaped(name_of(*option)),
                       value.empty() ? "" : " \\fI" + escaped(value) + "\\fR",
                       escaped(option->get_description()));
  }
  return out;
}

// ---- completion ----

/// "auto|folder (auto)" -> {"auto", "folder"}; empty where the type, such as "N", lists no choices.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::vector<std::string> choices;
  const bool one_word = !type.empty() && std::islower(static_cast<unsigned char>(type[0])) != 0;
  if (type.find('|') == std::string::npos && !one_word) return choices;
  std::istringstream words(type.substr(0, type.find(' ')));
  for (std::string word; std::getline(words, word, '|');) choices.push_back(word);
  return choices;
}

/// What bash completes after the option.
std::string offer_for(const CLI::Option& option) {
  std::vector<std::string> choices = choices_of(option);
  const bool or_file = !choices.empty() && choices.back() == "FILE";
  if (or_file) choices.pop_back();
  if (!choices.empty()) {
    return fmt::format("{}-W \"{}\"", or_file ? "-f " : "", fmt::join(choices, " "));
  }
  const std::string type = option.get_type_name().substr(0, option.get_type_name().find(' '));
  if (type == "DIR" || type == "RUN") return "-d";
  if (type == "FILE" || type == "CSV" || type == "W" || type == "TEXT") return "-f";
  return "-W \"\"";  // a number or a pattern: nothing to offer
}

std::string option_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : visible_options(app)) {
    if (!option->get_positional()) words.push_back(name_of(*option));
  }
  for (const CLI::App* command : subcommands(app)) words.push_back(command->get_name());
  std::string joined = fmt::format("{}", fmt::join(words, " "));
  std::replace(joined.begin(), joined.end(), ',', ' ');  // "-h,--help"
  return joined;
}

/// One line of the `case` for each option that takes a value.
std::string value_cases(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : visible_options(app)) {
    if (option->get_positional() || value_of(*option).empty()) continue;
    out += fmt::format("    {}) COMPREPLY=($(compgen {} -- \"$word\")); return ;;\n",
                       name_of(*option), offer_for(*option));
  }
  for (const CLI::App* command : subcommands(app)) out += value_cases(*command);
  return out;
}

/// "; near names: --epochs, ..." for the first unknown option; empty if there is only a stray word.
std::string near_options(const CLI::App& app) {
  std::vector<const CLI::App*> meant{&app};
  for (const CLI::App* command : app.get_subcommands()) meant.push_back(command);
  std::vector<std::string> names;
  for (const CLI::App* command : meant) {
    for (const CLI::Option* option : visible_options(*command)) {
      if (!option->get_positional()) names.push_back(option->get_single_name());
    }
  }
  for (const std::string& word : app.remaining(true)) {
    if (word.rfind("--", 0) != 0) continue;
    const std::vector<std::string> near = nn::near_names(word.substr(2), names);
    return near.empty() ? "" : fmt::format("; near names: --{}", fmt::join(near, ", --"));
  }
  return "";
}

}  // namespace

void add_manual_options(CLI::App& app, Reporter& reporter) {
  app.add_flag_callback(
         "--version",
         [&app, &reporter] {
           reporter.print(version_text(app.get_name()));
           throw CLI::Success();
         },
         "print the version and what it was built with, and exit")
      ->group("Manual");
  app.add_flag_callback(
         "--man",
         [&app, &reporter] {
           reporter.print(man_page(app));
           throw CLI::Success();
         },
         "print the manual page and exit (man -l shows it)")
      ->group("Manual");
  app.add_option_function<std::string>(
         "--completion",
         [&app, &reporter](const std::string& shell) {
           if (shell != "bash") throw CLI::ValidationError("--completion", "supports only bash");
           reporter.print(bash_completion(app));
           throw CLI::Success();
         },
         "print the shell's completion script and exit")
      ->type_name("bash")
      ->group("Manual");
}

std::string man_page(const CLI::App& app) {
  std::string title = app.get_name();
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::string description = app.get_description();
  const std::size_t line_end = description.find('\n');
  std::string out = fmt::format(".TH {} 1 \"\" hanok\n.SH NAME\n{} \\- {}\n", title, app.get_name(),
                                escaped(description.substr(0, line_end)));
  if (line_end != std::string::npos) {
    out += ".SH DESCRIPTION\n" + unfilled(description.substr(line_end + 1));
  }
  out += ".SH OPTIONS\n" + option_sections(app);
  for (const CLI::App* command : subcommands(app)) {
    out += fmt::format(".SH \"{} {}\"\n", app.get_name(), command->get_name()) +
           unfilled(command->get_description()) + option_sections(*command);
    if (!command->get_footer().empty()) out += ".PP\n" + unfilled(command->get_footer());
  }
  if (!app.get_footer().empty()) out += ".SH NOTES\n" + unfilled(app.get_footer());
  return out;
}

std::string bash_completion(const CLI::App& app) {
  const std::string& name = app.get_name();
  std::string out = fmt::format(
      "# bash completion of {0}; `{0} --completion bash` prints it\n"
      "_hanok_{0}() {{\n"
      "  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
      "  case \"$previous\" in\n{1}  esac\n"
      "  local words=\"{2}\"\n",
      name, value_cases(app), option_words(app));
  const std::vector<const CLI::App*> commands = subcommands(app);
  if (!commands.empty()) {
    out += "  case \"${COMP_WORDS[1]}\" in\n";
    for (const CLI::App* command : commands) {
      out += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), option_words(*command));
    }
    out += "  esac\n";
  }
  return out + fmt::format(
                   "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                   "}}\n"
                   "complete -o default -F _hanok_{0} {0}\n",
                   name);
}

bool parse_arguments(CLI::App& app, Arguments arguments, Reporter& reporter) {
  fit_help(app, terminal_columns());
  try {
    app.parse(arguments.count, arguments.values);
    return true;
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    app.exit(success, text, text);
    reporter.print(text.str());
    return false;
  } catch (const CLI::ExtrasError&) {
    throw UsageError(fmt::format(
        "not expected: {}{} ({} --help lists the {})", fmt::join(app.remaining(true), " "),
        near_options(app), app.get_name(), subcommands(app).empty() ? "options" : "commands"));
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{} ({} --help lists the {})", error.what(), app.get_name(),
                                 subcommands(app).empty() ? "options" : "commands"));
  }
}

}  // namespace hanok::training
