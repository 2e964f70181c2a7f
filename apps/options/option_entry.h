// What option_table() is made with: one function for each kind of value.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hanok/apps/options/choices.h"
#include "hanok/apps/options/options.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The one value of an option. Throws UsageError for none or several.
std::string single_value(const std::string& option, const std::vector<std::string>& values);
/// The whole number that all of `text` is; `what` names it in the UsageError.
std::int64_t whole_number(const std::string& option, const std::string& text, const char* what);

/// Throws UsageError that lists the choices.
[[noreturn]] void reject_choice(const std::string& option, const std::vector<std::string>& choices,
                                const std::string& text);

/// What a number may be: low to high, both included, for whole numbers; low <= x < high for others.
template <typename Number>
struct Range {
  Number low = 0;
  Number high = std::numeric_limits<Number>::has_infinity ? std::numeric_limits<Number>::infinity()
                                                          : std::numeric_limits<Number>::max();
  bool without_low = false;  // x = low is no valid value
};

/// An option's name, and the placeholder of its value in --help: {"batch-size", "N"}.
struct OptionName {
  const char* name;
  const char* value_name;
};

/// Collects entries, section by section. Each function returns the new entry; the reference holds
/// until the next one is added.
class OptionTable {
 public:
  /// Heading of the options that follow.
  void section(const char* heading) { section_ = heading; }

  /// Any text, or one of `choices` where there are any.
  OptionEntry& text(OptionName name, const char* help, std::string Options::*member,
                    const std::vector<std::string>& choices = {});
  /// A whole number (std::int64_t or std::uint64_t).
  template <typename Number>
  OptionEntry& integer(const char* name, const char* help, Number Options::*member,
                       std::type_identity_t<Range<Number>> range);
  /// A whole number in `range`, or "auto" for 0.
  OptionEntry& integer_or_auto(const char* name, const char* help, std::int64_t Options::*member,
                               Range<std::int64_t> range);
  /// A finite number.
  OptionEntry& real(const char* name, const char* help, double Options::*member,
                    Range<double> range);
  /// A switch: off without it.
  OptionEntry& toggle(const char* name, const char* help, bool Options::*member);
  /// Texts: the option may be repeated.
  OptionEntry& texts(OptionName name, const char* help, std::vector<std::string> Options::*member);
  /// One of an enum's names.
  template <Choice Enum>
  OptionEntry& choice(OptionName name, const char* help, Enum Options::*member);
  /// A value that `parse` makes of a text; it throws UsageError. text_of() is its inverse.
  template <typename Value>
  OptionEntry& value(OptionName name, const char* help, Value Options::*member,
                     Value (*parse)(const std::string&));
  /// Several of them: the option may be repeated.
  template <typename Value>
  OptionEntry& values(OptionName name, const char* help, std::vector<Value> Options::*member,
                      Value (*parse)(const std::string&));

  OptionEntry& add(OptionName name, const char* help, OptionEntry::Kind kind);
  const std::vector<OptionEntry>& entries() const { return entries_; }

 private:
  std::string section_;
  std::vector<OptionEntry> entries_;
};

template <Choice Enum>
OptionEntry& OptionTable::choice(OptionName name, const char* help, Enum Options::*member) {
  OptionEntry& entry = add(name, help, OptionEntry::Kind::Text);
  entry.choices = names_of<Enum>();
  entry.get = [member](const Options& options) {
    return std::vector<std::string>{name_of(options.*member)};
  };
  entry.set = [member, option = entry.name](Options& options,
                                            const std::vector<std::string>& values) {
    const std::string text = single_value(option, values);
    const std::optional<Enum> value = value_named<Enum>(text);
    if (!value) reject_choice(option, names_of<Enum>(), text);
    options.*member = *value;
  };
  return entry;
}

template <typename Value>
OptionEntry& OptionTable::value(OptionName name, const char* help, Value Options::*member,
                                Value (*parse)(const std::string&)) {
  OptionEntry& entry = add(name, help, OptionEntry::Kind::Text);
  entry.get = [member](const Options& options) {
    return std::vector<std::string>{text_of(options.*member)};
  };
  entry.set = [member, parse, option = entry.name](Options& options,
                                                   const std::vector<std::string>& values) {
    options.*member = parse(single_value(option, values));
  };
  return entry;
}

template <typename Value>
OptionEntry& OptionTable::values(OptionName name, const char* help,
                                 std::vector<Value> Options::*member,
                                 Value (*parse)(const std::string&)) {
  OptionEntry& entry = add(name, help, OptionEntry::Kind::List);
  entry.get = [member](const Options& options) {
    std::vector<std::string> texts;
    for (const Value& value : options.*member) texts.push_back(text_of(value));
    return texts;
  };
  entry.set = [member, parse](Options& options, const std::vector<std::string>& texts) {
    std::vector<Value> values;
    for (const std::string& text : texts) values.push_back(parse(text));
    options.*member = std::move(values);
  };
  return entry;
}

}  // namespace hanok::training
#pragma GCC visibility pop
