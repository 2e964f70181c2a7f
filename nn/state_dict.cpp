#include "hanok/nn/state_dict.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {

void StateDict::insert(const std::string& name, Tensor tensor) {
  if (!index_.emplace(name, entries_.size()).second) {
    throw ValueError(fmt::format("state_dict: '{}' already exists", name));
  }
  entries_.emplace_back(name, std::move(tensor));
}

const Tensor* StateDict::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

const Tensor& StateDict::at(const std::string& name) const {
  const Tensor* found = find(name);
  if (found != nullptr) return *found;
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.first);
  const auto near = near_names(name, names);
  throw ValueError(
      fmt::format("state_dict: no '{}' among {} names{}", name, size(),
                  near.empty() ? "" : fmt::format(" (near: {})", fmt::join(near, ", "))));
}

bool StateDict::erase(const std::string& name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return false;
  const std::size_t position = found->second;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(position));
  index_.erase(found);
  for (auto& [key, index] : index_) {
    if (index > position) --index;
  }
  return true;
}

int StateDict::rename_prefix(const std::string& from, const std::string& to) {
  StateDict renamed;
  int count = 0;
  for (const auto& [name, tensor] : entries_) {
    const bool has_prefix = name.starts_with(from);
    count += has_prefix ? 1 : 0;
    renamed.insert(has_prefix ? to + name.substr(from.size()) : name, tensor);
  }
  *this = std::move(renamed);
  return count;
}

void StateDict::merge(const StateDict& other) {
  // Checked first, so that an error leaves this dictionary unchanged.
  for (const auto& [name, tensor] : other) {
    if (contains(name)) throw ValueError(fmt::format("state_dict: both have '{}'", name));
  }
  for (const auto& [name, tensor] : other) insert(name, tensor);
}

namespace {

// Levenshtein 1966, keeping one row of the table.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

// Matches one character against the class that starts after '[' at `at`; moves `at` past its ']'.
// Without a ']' it is not a class: returns false and `at` is unchanged.
bool matches_class(const std::string& glob, std::size_t& at, char c, bool& matched) {
  std::size_t i = at + 1;
  const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (negated) ++i;
  const std::size_t first = i;
  bool inside = false;
  for (; i < glob.size() && (glob[i] != ']' || i == first); ++i) {
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      inside = inside || (glob[i] <= c && c <= glob[i + 2]);
      i += 2;
    } else {
      inside = inside || glob[i] == c;
    }
  }
  if (i >= glob.size()) return false;
  at = i + 1;
  matched = inside != negated;
  return true;
}

}  // namespace

std::vector<std::string> near_names(const std::string& name,
                                    const std::vector<std::string>& candidates, std::size_t count) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    // More than half of the name differs: not a useful suggestion.
    if (distance * 2 <= std::max(name.size(), candidate.size())) {
      ranked.emplace_back(distance, candidate);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> result;
  for (std::size_t i = 0; i < std::min(count, ranked.size()); ++i) {
    result.push_back(ranked[i].second);
  }
  return result;
}

bool glob_matches(const std::string& glob, const std::string& text) {
  // Greedy with one way back: where a match fails, the last '*' takes one more character.
  constexpr std::size_t kNone = std::string::npos;
  std::size_t g = 0, t = 0, star = kNone, star_text = 0;
  while (t < text.size()) {
    bool matched = false;
    std::size_t next = g + 1;
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_text = t;
      continue;
    }
    if (g < glob.size()) {
      std::size_t end = g;
      if (glob[g] == '[' && matches_class(glob, end, text[t], matched)) {
        next = end;
      } else {
        matched = glob[g] == '?' || glob[g] == text[t];
      }
    }
    if (matched) {
      g = next;
      ++t;
    } else if (star != kNone) {
      g = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace hanok::nn
