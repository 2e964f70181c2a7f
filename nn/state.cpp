#include "hanok/nn/state.h"

#include <fmt/format.h>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

template <typename Map>
void merge_map(Map& into, const std::string& prefix, const Map& from) {
  for (const auto& [key, value] : from) into.insert_or_assign(prefix + "." + key, value);
}

template <typename Map>
void sub_map(Map& into, const std::string& prefix, const Map& from) {
  const std::string start = prefix + ".";
  for (auto it = from.lower_bound(start); it != from.end() && it->first.starts_with(start); ++it) {
    into.emplace(it->first.substr(start.size()), it->second);
  }
}

template <typename Map>
const typename Map::mapped_type& find(const Map& map, const std::string& key, const char* kind) {
  const auto found = map.find(key);
  if (found == map.end()) throw ValueError(fmt::format("state: no {} named '{}'", kind, key));
  return found->second;
}

}  // namespace

void State::merge(const std::string& prefix, const State& other) {
  merge_map(numbers, prefix, other.numbers);
  merge_map(integers, prefix, other.integers);
  merge_map(texts, prefix, other.texts);
  merge_map(tensors, prefix, other.tensors);
}

State State::sub(const std::string& prefix) const {
  State result;
  sub_map(result.numbers, prefix, numbers);
  sub_map(result.integers, prefix, integers);
  sub_map(result.texts, prefix, texts);
  sub_map(result.tensors, prefix, tensors);
  return result;
}

double State::number(const std::string& key) const { return find(numbers, key, "number"); }
std::int64_t State::integer(const std::string& key) const { return find(integers, key, "integer"); }
const std::string& State::text(const std::string& key) const { return find(texts, key, "text"); }
const Tensor& State::tensor(const std::string& key) const { return find(tensors, key, "tensor"); }

void State::check_version(const char* what, std::int64_t supported) const {
  const auto found = integers.find("version");
  if (found == integers.end()) throw ValueError(fmt::format("{}: state has no version", what));
  if (found->second < 1 || found->second > supported) {
    throw ValueError(fmt::format("{}: state has version {}, this program supports 1 to {}", what,
                                 found->second, supported));
  }
}

}  // namespace hanok::nn
