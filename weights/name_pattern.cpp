#include "hanok/weights/name_pattern.h"

#include <cctype>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace hanok::weights {
namespace {

constexpr int kMostBlocks = 1000;

/// Computes the number over all stages from stage and index, or these from it; false if there is no
/// such block.
bool complete(NameHoles& holes, const std::vector<int>& blocks) {
  if (holes.stage >= 0 && holes.index >= 0) {
    if (holes.stage >= static_cast<int>(blocks.size()) ||
        holes.index >= blocks[static_cast<std::size_t>(holes.stage)]) {
      return false;
    }
    holes.number = holes.index;
    for (int s = 0; s < holes.stage; ++s) {
      holes.number += blocks[static_cast<std::size_t>(s)];
    }
  } else if (holes.number >= 0) {
    holes.index = holes.number;
    holes.stage = 0;
    for (const int count : blocks) {
      if (holes.index < count) return true;
      holes.index -= count;
      ++holes.stage;
    }
    return false;
  }
  return true;
}

/// Fills the holes in which `name` differs from the pattern; false if it differs elsewhere.
bool matches(std::string_view pattern, std::string_view name, NameHoles& holes) {
  std::size_t at = 0;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] == '*') {
      holes.last = std::string(name.substr(at));
      return !holes.last.empty() && holes.last.find('.') == std::string::npos;
    }
    if (pattern[p] != '{') {
      if (at >= name.size() || name[at] != pattern[p]) return false;
      ++at;
      continue;
    }
    int value = 0;
    const auto [end, error] = std::from_chars(name.data() + at, name.data() + name.size(), value);
    if (error != std::errc{} || value < 0 || value > kMostBlocks) return false;
    at = static_cast<std::size_t>(end - name.data());
    const char hole = pattern[p + 1];
    (hole == 's' ? holes.stage : hole == 'i' ? holes.index : holes.number) = value;
    p += 2;  // past the letter and the brace
  }
  return at == name.size();
}

/// "{2s+1}" without its braces, computed.
int evaluate(std::string_view hole, const NameHoles& holes) {
  int factor = 1, summand = 0;
  if (std::isdigit(static_cast<unsigned char>(hole.front())) != 0) {
    factor = hole.front() - '0';
    hole.remove_prefix(1);
  }
  const int value = hole.front() == 's'   ? holes.stage
                    : hole.front() == 'i' ? holes.index
                                          : holes.number;
  if (hole.size() == 3) summand = hole[2] - '0';  // s+1
  return factor * value + summand;
}

}  // namespace

std::optional<NameHoles> match_name(std::string_view pattern, std::string_view name,
                                    const std::vector<int>& blocks) {
  NameHoles holes;
  if (!matches(pattern, name, holes) || !complete(holes, blocks)) return {};
  return holes;
}

std::string fill_name(std::string_view pattern, const NameHoles& holes) {
  std::string result;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] == '*') {
      result += holes.last;
    } else if (pattern[p] == '{') {
      const std::size_t end = pattern.find('}', p);
      result += std::to_string(evaluate(pattern.substr(p + 1, end - p - 1), holes));
      p = end;
    } else {
      result += pattern[p];
    }
  }
  return result;
}

}  // namespace hanok::weights
