// Options as TOML: writing all of them, reading those that a file sets.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <toml++/toml.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/augmentation_toml.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/run/files.h"

namespace hanok::training {
namespace {

using Kind = OptionEntry::Kind;

/// A TOML basic string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string value_text(const OptionEntry& entry, const std::vector<std::string>& values) {
  switch (entry.kind) {
    case Kind::TextOrInteger:
      if (values[0].find_first_not_of("0123456789") == std::string::npos) return values[0];
      return quoted(values[0]);
    case Kind::Text:
      return quoted(values[0]);
    case Kind::Real: {
      // In TOML a point or an exponent makes a number a real.
      const bool plain = values[0].find_first_of(".e") == std::string::npos;
      return plain ? values[0] + ".0" : values[0];
    }
    case Kind::List: {
      std::vector<std::string> items;
      for (const std::string& value : values) items.push_back(quoted(value));
      return fmt::format("[{}]", fmt::join(items, ", "));
    }
    case Kind::Integer:
    case Kind::Switch:
      break;
  }
  return values[0];
}

/// One TOML value as the text that the command line would hold.
std::string scalar_text(const OptionEntry& entry, const toml::node& node) {
  const auto wrong = [&entry](const char* expected) {
    return UsageError(fmt::format("{}: expects {}", entry.name, expected));
  };
  switch (entry.kind) {
    case Kind::Switch:
      if (const auto value = node.value_exact<bool>()) return *value ? "true" : "false";
      throw wrong("true or false");
    case Kind::Integer:
      if (const auto value = node.value_exact<std::int64_t>()) return std::to_string(*value);
      // A seed above 2^63 does not fit TOML's integers and is written as text.
      if (const auto value = node.value_exact<std::string>()) return *value;
      throw wrong("a whole number");
    case Kind::Real:
      if (const auto value = node.value<double>()) return fmt::format("{}", *value);
      throw wrong("a number");
    case Kind::Text:
      if (const auto value = node.value_exact<std::string>()) return *value;
      throw wrong("a text in quotes");
    case Kind::TextOrInteger:
      if (const auto value = node.value_exact<std::string>()) return *value;
      if (const auto value = node.value_exact<std::int64_t>()) return std::to_string(*value);
      throw wrong("a text in quotes or a whole number");
    case Kind::List:
      if (const auto value = node.value_exact<std::string>()) return *value;
      if (const auto value = node.value_exact<std::int64_t>()) return std::to_string(*value);
      throw wrong("texts in quotes, in brackets");
  }
  return "";
}

void apply_table(Options& options, const toml::table& table) {
  for (const auto& [key, node] : table) {
    // Not options: the transforms of --augment, and what a run has recorded of its data.
    if (key.str() == "transform" || key.str() == "recorded") continue;
    const OptionEntry& entry = find_option(std::string(key.str()));
    std::vector<std::string> values;
    if (const toml::array* array = node.as_array(); array != nullptr && entry.kind == Kind::List) {
      for (const toml::node& item : *array) values.push_back(scalar_text(entry, item));
    } else {
      values.push_back(scalar_text(entry, node));
    }
    // Its transforms are in this file: the file of that name may have changed since.
    if (entry.name == "augment" && table.contains("transform")) continue;
    entry.set(options, values);
  }
}

}  // namespace

std::string to_toml(const Options& options, const std::string& tables) {
  std::string out;
  std::string section;
  for (const OptionEntry& entry : option_table()) {
    if (entry.section != section) {
      out += fmt::format("{}# ---- {} ----\n", out.empty() ? "" : "\n", entry.section);
      section = entry.section;
    }
    std::string help = entry.help;
    if (!entry.choices.empty()) help += fmt::format(" ({})", fmt::join(entry.choices, ", "));
    std::string value = value_text(entry, entry.get(options));
    if (entry.kind == Kind::Integer && value.size() >= 19) value = quoted(value);
    out += fmt::format("# {}\n{} = {}\n", help, entry.name, value);
  }
  out += tables;
  if (!options.augment.from_file) return out;
  return out + "\n# ---- The content of the file of --augment, which is not read again ----\n" +
         transforms_to_toml(options.augment.transforms);
}

void apply_toml(Options& options, const std::string& text, const std::string& name) {
  bool transforms_here = false;
  try {
    const toml::table table = toml::parse(text, name);
    apply_table(options, table);
    if (table.contains("transform")) {
      options.augment.name = table["augment"].value_or(name);
      options.augment.from_file = true;
      if (data::is_augmentation_name(options.augment.name)) {
        throw UsageError(
            fmt::format("augment: \"{}\" has its own transforms; leave it or [[transform]] out",
                        options.augment.name));
      }
      transforms_here = true;
    }
  } catch (const toml::parse_error& error) {
    std::ostringstream where;
    where << error.source().begin;
    throw UsageError(fmt::format("{}: {} ({})", name, error.description(), where.str()));
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}", name, error.what()));
  }
  if (transforms_here) options.augment.transforms = transforms_in_toml(text, name);
}

void apply_toml_file(Options& options, const std::string& path) {
  apply_toml(options, read_file(path), path);
}

}  // namespace hanok::training
