#include "hanok/data/layouts/class_names.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fmt/format.h>
#include <map>

#include "hanok/data/unicode.h"

namespace hanok::data {
namespace {

std::string difference(const std::string& a, const std::string& b) {
  if (trimmed(a) == trimmed(b)) return "blanks at the end";
  if (nfc(a) == nfc(b)) return "how Unicode writes their letters (NFC, NFD)";
  return "upper and lower case";
}

/// Parses `text` as an integer; false if it is not one.
bool to_integer(const std::string& text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::vector<std::string> ordered_labels(const std::set<std::string>& labels) {
  std::vector<std::string> names(labels.begin(), labels.end());
  std::int64_t ignored = 0;
  if (std::all_of(names.begin(), names.end(),
                  [&](const std::string& name) { return to_integer(name, ignored); })) {
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      std::int64_t x = 0, y = 0;
      return to_integer(a, x) && to_integer(b, y) && x < y;
    });
  }
  return names;
}

std::vector<std::string> twin_warnings(const std::vector<std::string>& class_names) {
  std::vector<std::string> warnings;
  std::map<std::string, std::string> first;
  for (const std::string& name : class_names) {
    const auto [known, is_new] = first.emplace(folded_name(name), name);
    if (is_new) continue;
    warnings.push_back(
        fmt::format("the classes '{}' and '{}' differ only in {}; both are learned, as two classes",
                    known->second, name, difference(known->second, name)));
  }
  return warnings;
}

std::string twin_of(const std::string& name, const std::vector<std::string>& known) {
  for (const std::string& other : known) {
    if (other != name && folded_name(other) == folded_name(name)) return other;
  }
  return {};
}

}  // namespace hanok::data
