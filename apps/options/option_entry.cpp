#include "hanok/apps/options/option_entry.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hanok/apps/cli/errors.h"

namespace hanok::training::entry {
namespace {

using Kind = OptionEntry::Kind;

template <typename Number>
Number parse_number(const std::string& name, const std::string& text, const char* what) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) {
    throw UsageError(fmt::format("--{}: expects {}, got \"{}\"", name, what, text));
  }
  return value;
}

}  // namespace

std::string single(const std::string& name, const Texts& values) {
  if (values.size() != 1) {
    throw UsageError(fmt::format("--{}: expects one value, got {}", name, values.size()));
  }
  return values[0];
}

std::int64_t whole_number(const std::string& name, const std::string& text, const char* what) {
  return parse_number<std::int64_t>(name, text, what);
}

OptionEntry text(const char* section, const char* name, const char* value_name, const char* help,
                 std::string Options::*member, Texts choices) {
  OptionEntry entry{section, name, value_name, help, Kind::Text, std::move(choices), {}, {}};
  entry.get = [member](const Options& options) { return Texts{options.*member}; };
  entry.set = [member, entry_name = entry.name, allowed = entry.choices](Options& options,
                                                                         const Texts& values) {
    const std::string value = single(entry_name, values);
    bool found = allowed.empty();
    for (const std::string& choice : allowed) found = found || choice == value;
    if (!found) {
      throw UsageError(fmt::format("--{}: expects one of {}; got \"{}\"", entry_name,
                                   fmt::join(allowed, ", "), value));
    }
    options.*member = value;
  };
  return entry;
}

template <typename Number>
OptionEntry integer(const char* section, const char* name, const char* help,
                    Number Options::*member, Number low, Number high) {
  OptionEntry entry{section, name, "N", help, Kind::Integer, {}, {}, {}};
  entry.get = [member](const Options& options) { return Texts{std::to_string(options.*member)}; };
  entry.set = [member, low, high, entry_name = entry.name](Options& options, const Texts& values) {
    const auto value =
        parse_number<Number>(entry_name, single(entry_name, values), "a whole number");
    if (value < low || value > high) {
      throw UsageError(
          high == std::numeric_limits<Number>::max()
              ? fmt::format("--{}: must be at least {}, got {}", entry_name, low, value)
              : fmt::format("--{}: must lie between {} and {}, got {}", entry_name, low, high,
                            value));
    }
    options.*member = value;
  };
  return entry;
}

template OptionEntry integer(const char*, const char*, const char*, std::int64_t Options::*,
                             std::int64_t, std::int64_t);
template OptionEntry integer(const char*, const char*, const char*, std::uint64_t Options::*,
                             std::uint64_t, std::uint64_t);

OptionEntry real(const char* section, const char* name, const char* help, double Options::*member,
                 double low, double high, bool open_low) {
  OptionEntry entry{section, name, "X", help, Kind::Real, {}, {}, {}};
  entry.get = [member](const Options& options) {
    return Texts{fmt::format("{}", options.*member)};
  };
  entry.set = [=, entry_name = entry.name](Options& options, const Texts& values) {
    const auto value = parse_number<double>(entry_name, single(entry_name, values), "a number");
    if (!std::isfinite(value) || value < low || value >= high || (open_low && value == low)) {
      throw UsageError(std::isinf(high)
                           ? fmt::format("--{}: must be {} {}, got {}", entry_name,
                                         open_low ? "above" : "at least", low, value)
                           : fmt::format("--{}: must be {} {} and below {}, got {}", entry_name,
                                         open_low ? "above" : "at least", low, high, value));
    }
    options.*member = value;
  };
  return entry;
}

OptionEntry toggle(const char* section, const char* name, const char* help, bool Options::*member) {
  OptionEntry entry{section, name, "", help, Kind::Switch, {}, {}, {}};
  entry.get = [member](const Options& options) {
    return Texts{options.*member ? "true" : "false"};
  };
  entry.set = [member, entry_name = entry.name](Options& options, const Texts& values) {
    const std::string value = single(entry_name, values);
    if (value != "true" && value != "false") {
      throw UsageError(fmt::format("--{}: expects true or false, got \"{}\"", entry_name, value));
    }
    options.*member = value == "true";
  };
  return entry;
}

OptionEntry list(const char* section, const char* name, const char* value_name, const char* help,
                 std::vector<std::string> Options::*member) {
  OptionEntry entry{section, name, value_name, help, Kind::List, {}, {}, {}};
  entry.get = [member](const Options& options) { return options.*member; };
  entry.set = [member](Options& options, const Texts& values) { options.*member = values; };
  return entry;
}

OptionEntry checked_list(const char* section, const char* name, const char* value_name,
                         const char* help, std::vector<std::string> Options::*member,
                         void (*check)(const std::string&)) {
  OptionEntry entry = list(section, name, value_name, help, member);
  entry.set = [member, check](Options& options, const Texts& values) {
    for (const std::string& value : values) check(value);
    options.*member = values;
  };
  return entry;
}

}  // namespace hanok::training::entry
