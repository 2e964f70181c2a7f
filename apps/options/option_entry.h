// What option_table() is made of: a maker of entries for each kind of value.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"

namespace hanok::training::entry {

using Texts = std::vector<std::string>;

/// The one value of an option. Throws UsageError for none or several.
std::string single(const std::string& name, const Texts& values);
/// The whole number that all of `text` is; `what` names it in the UsageError.
std::int64_t whole_number(const std::string& name, const std::string& text, const char* what);

/// A text, one of `choices` where there are any.
OptionEntry text(const char* section, const char* name, const char* value_name, const char* help,
                 std::string Options::*member, Texts choices = {});

/// A whole number (std::int64_t or std::uint64_t) from `low` to `high`.
template <typename Number>
OptionEntry integer(const char* section, const char* name, const char* help,
                    Number Options::*member, Number low,
                    Number high = std::numeric_limits<Number>::max());

/// A finite number in [low, high); `open_low` leaves out `low` itself.
OptionEntry real(const char* section, const char* name, const char* help, double Options::*member,
                 double low, double high, bool open_low = false);

OptionEntry toggle(const char* section, const char* name, const char* help, bool Options::*member);

OptionEntry list(const char* section, const char* name, const char* value_name, const char* help,
                 std::vector<std::string> Options::*member);

/// A list whose every value `check` looks at; it throws UsageError.
OptionEntry checked_list(const char* section, const char* name, const char* value_name,
                         const char* help, std::vector<std::string> Options::*member,
                         void (*check)(const std::string&));

}  // namespace hanok::training::entry
