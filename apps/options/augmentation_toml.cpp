#include "hanok/apps/options/augmentation_toml.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>
#include <toml++/toml.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"

namespace hanok::training {
namespace {

using data::TransformKind;
using data::TransformParameter;
using data::TransformStep;

/// "file.toml: line 3: "
std::string place(const std::string& file, const toml::source_region& where) {
  return fmt::format("{}: line {}: ", file, where.begin.line);
}

/// One number, or a range of two.
std::vector<double> numbers(const std::string& where, const std::string& key,
                            const toml::node& node) {
  std::vector<double> values;
  const auto add = [&](const toml::node& item) {
    const auto value = item.is_number() ? item.value<double>() : std::nullopt;
    if (!value) throw UsageError(fmt::format("{}{}: expects a number", where, key));
    values.push_back(*value);
  };
  if (const toml::array* items = node.as_array()) {
    for (const toml::node& item : *items) add(item);
  } else {
    add(node);
  }
  return values;
}

TransformStep step_from(const toml::table& table, const std::string& file) {
  const std::string here = place(file, table.source());
  const auto name = table["name"].value_exact<std::string>();
  if (!name) throw UsageError(here + "transform: name is missing, a text in quotes");
  if (*name == "mixup" || *name == "cutmix") {
    throw UsageError(fmt::format("{}name: {} mixes the images of a batch: give --{}",
                                 place(file, table["name"].node()->source()), *name, *name));
  }
  try {
    data::transform_kind(*name);
  } catch (const ValueError& error) {
    throw UsageError(
        fmt::format("{}name: {}", place(file, table["name"].node()->source()), error.what()));
  }
  TransformStep step(*name);
  for (const auto& [key, node] : table) {
    const std::string parameter(key.str());
    if (parameter == "name") continue;
    const std::string where = place(file, key.source()) + *name + ": ";
    const std::vector<double> values = numbers(where, parameter, node);
    try {
      if (parameter != "probability") {
        step.set(parameter, values);
      } else if (values.size() == 1) {
        step.set_probability(values[0]);
      } else {
        throw ValueError("probability: expects one number");
      }
    } catch (const ValueError& error) {
      throw UsageError(where + error.what());
    }
  }
  return step;
}

toml::table parsed(const std::string& text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw UsageError(
        fmt::format("{}{}", place(name, error.source()), std::string(error.description())));
  }
}

data::Augmentation transforms_of(const toml::table& table, const std::string& name) {
  data::Augmentation augmentation;
  const toml::node* node = table.get("transform");
  if (node == nullptr) return augmentation;
  const toml::array* steps = node->as_array();
  if (steps == nullptr || !steps->is_array_of_tables()) {
    throw UsageError(place(name, node->source()) +
                     "transform: expects tables that begin with [[transform]]");
  }
  for (const toml::node& step : *steps) {
    augmentation.push_back(step_from(*step.as_table(), name));
  }
  return augmentation;
}

std::string number_text(double value) { return fmt::format("{}", value); }

std::string value_text(const std::vector<double>& value) {
  if (value.size() == 1) return number_text(value[0]);
  return fmt::format("[{}, {}]", number_text(value[0]), number_text(value[1]));
}

}  // namespace

data::Augmentation transforms_in_toml(const std::string& text, const std::string& name) {
  return transforms_of(parsed(text, name), name);
}

data::Augmentation read_augmentation(const std::string& path) {
  const toml::table table = parsed(read_file(path), path);
  for (const auto& [key, node] : table) {
    if (key.str() != "transform") {
      throw UsageError(fmt::format("{}{}: unknown key; such a file holds only [[transform]] tables",
                                   place(path, key.source()), std::string(key.str())));
    }
  }
  data::Augmentation augmentation = transforms_of(table, path);
  if (augmentation.empty()) {
    throw UsageError(path + ": no [[transform]] in it; --augment none leaves images as they are");
  }
  return augmentation;
}

std::string transforms_to_toml(const data::Augmentation& augmentation) {
  std::string out;
  for (const TransformStep& step : augmentation) {
    const TransformKind& kind = step.kind();
    out += fmt::format("{}[[transform]]\nname = \"{}\"\nprobability = {}\n",
                       out.empty() ? "" : "\n", kind.name, number_text(step.probability()));
    for (std::size_t i = 0; i < kind.parameters.size(); ++i) {
      out += fmt::format("{} = {}\n", kind.parameters[i].name, value_text(step.values()[i]));
    }
  }
  return out;
}

std::string transforms_table() {
  std::string out;
  for (const TransformKind& kind : data::transform_kinds()) {
    out += fmt::format("{}\n  {}\n  {:<14}{:<27}{}\n", kind.name, kind.help, "probability",
                       number_text(kind.probability), "that an image gets it, 0 to 1");
    for (const TransformParameter& parameter : kind.parameters) {
      out += fmt::format("  {:<14}{:<27}{}, {} to {}\n", parameter.name,
                         value_text(parameter.standard), parameter.help, number_text(parameter.low),
                         number_text(parameter.high));
    }
  }
  return out;
}

}  // namespace hanok::training
