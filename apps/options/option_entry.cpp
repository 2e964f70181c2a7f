#include "hanok/apps/options/option_entry.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/apps/cli/errors.h"

namespace hanok::training {
namespace {

using Kind = OptionEntry::Kind;
using Texts = std::vector<std::string>;

template <typename Number>
Number parse_number(const std::string& option, const std::string& text, const char* what) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range && stop == end) {
    throw UsageError(fmt::format(
        "--{}: {} is beyond the numbers that this option can hold ({} to "
        "{})",
        option, text, std::numeric_limits<Number>::lowest(), std::numeric_limits<Number>::max()));
  }
  if (error != std::errc() || stop != end || text.empty()) {
    throw UsageError(fmt::format("--{}: expects {}, got \"{}\"", option, what, text));
  }
  return value;
}

/// A finite number in decimal digits, as from_chars reads it.
double parse_real(const std::string& option, const std::string& text) {
  const auto value = parse_number<double>(option, text, "a number");
  if (std::isfinite(value)) return value;
  throw UsageError(fmt::format("--{}: expects a finite number, got {}", option, text));
}

}  // namespace

std::string single_value(const std::string& option, const Texts& values) {
  if (values.size() != 1) {
    throw UsageError(fmt::format("--{}: expects one value, got {}", option, values.size()));
  }
  return values[0];
}

std::int64_t whole_number(const std::string& option, const std::string& text, const char* what) {
  return parse_number<std::int64_t>(option, text, what);
}

void reject_choice(const std::string& option, const Texts& choices, const std::string& text) {
  throw UsageError(
      fmt::format("--{}: expects one of {}; got \"{}\"", option, fmt::join(choices, ", "), text));
}

OptionEntry& OptionTable::add(OptionName name, const char* help, Kind kind) {
  entries_.push_back({.section = section_,
                      .name = name.name,
                      .value_name = name.value_name,
                      .help = help,
                      .kind = kind,
                      .choices = {},
                      .free_on_resume = false,
                      .get = {},
                      .set = {}});
  return entries_.back();
}

OptionEntry& OptionTable::text(OptionName name, const char* help, std::string Options::*member,
                               const Texts& choices) {
  OptionEntry& entry = add(name, help, Kind::Text);
  entry.choices = choices;
  entry.get = [member](const Options& options) { return Texts{options.*member}; };
  entry.set = [member, option = entry.name, choices](Options& options, const Texts& values) {
    const std::string value = single_value(option, values);
    if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
      reject_choice(option, choices, value);
    }
    options.*member = value;
  };
  return entry;
}

template <typename Number>
OptionEntry& OptionTable::integer(const char* name, const char* help, Number Options::*member,
                                  std::type_identity_t<Range<Number>> range) {
  OptionEntry& entry = add({name, "N"}, help, Kind::Integer);
  entry.get = [member](const Options& options) { return Texts{std::to_string(options.*member)}; };
  entry.set = [member, range, option = entry.name](Options& options, const Texts& values) {
    const auto value = parse_number<Number>(option, single_value(option, values), "a whole number");
    if (value < range.low || value > range.high) {
      throw UsageError(
          range.high == std::numeric_limits<Number>::max()
              ? fmt::format("--{}: must be at least {}, got {}", option, range.low, value)
              : fmt::format("--{}: must lie between {} and {}, got {}", option, range.low,
                            range.high, value));
    }
    options.*member = value;
  };
  return entry;
}

template OptionEntry& OptionTable::integer(const char*, const char*, std::int64_t Options::*,
                                           Range<std::int64_t>);
template OptionEntry& OptionTable::integer(const char*, const char*, std::uint64_t Options::*,
                                           Range<std::uint64_t>);

OptionEntry& OptionTable::integer_or_auto(const char* name, const char* help,
                                          std::int64_t Options::*member,
                                          Range<std::int64_t> range) {
  OptionEntry& entry = integer(name, help, member, range);
  entry.kind = Kind::TextOrInteger;
  entry.get = [member, number = entry.get](const Options& options) {
    return options.*member == 0 ? Texts{"auto"} : number(options);
  };
  entry.set = [member, option = entry.name, number = entry.set](Options& options,
                                                                const Texts& values) {
    if (values == Texts{"auto"}) {
      options.*member = 0;
      return;
    }
    parse_number<std::int64_t>(option, single_value(option, values), "a whole number or auto");
    number(options, values);
  };
  return entry;
}

OptionEntry& OptionTable::real(const char* name, const char* help, double Options::*member,
                               Range<double> range) {
  OptionEntry& entry = add({name, "X"}, help, Kind::Real);
  entry.get = [member](const Options& options) {
    return Texts{fmt::format("{}", options.*member)};
  };
  entry.set = [member, range, option = entry.name](Options& options, const Texts& values) {
    const double value = parse_real(option, single_value(option, values));
    if (value < range.low || value >= range.high || (range.without_low && value == range.low)) {
      const char* lowest = range.without_low ? "above" : "at least";
      throw UsageError(
          std::isinf(range.high)
              ? fmt::format("--{}: must be {} {}, got {}", option, lowest, range.low, value)
              : fmt::format("--{}: must be {} {} and below {}, got {}", option, lowest, range.low,
                            range.high, value));
    }
    options.*member = value;
  };
  return entry;
}

OptionEntry& OptionTable::toggle(const char* name, const char* help, bool Options::*member) {
  OptionEntry& entry = add({name, ""}, help, Kind::Switch);
  entry.get = [member](const Options& options) {
    return Texts{options.*member ? "true" : "false"};
  };
  entry.set = [member, option = entry.name](Options& options, const Texts& values) {
    const std::string value = single_value(option, values);
    if (value != "true" && value != "false") {
      throw UsageError(fmt::format("--{}: expects true or false, got \"{}\"", option, value));
    }
    options.*member = value == "true";
  };
  return entry;
}

OptionEntry& OptionTable::texts(OptionName name, const char* help,
                                std::vector<std::string> Options::*member) {
  OptionEntry& entry = add(name, help, Kind::List);
  entry.get = [member](const Options& options) { return options.*member; };
  entry.set = [member](Options& options, const Texts& values) { options.*member = values; };
  return entry;
}

}  // namespace hanok::training
