// State: the one dictionary type for saving everything stateful (optimiser, schedule, generator,
// sampler, early stopping).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// Numbers, strings and tensors by name. Each class writes its own "version" and rejects newer
/// ones.
struct State {
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> integers;
  std::map<std::string, std::string> texts;
  std::map<std::string, Tensor> tensors;

  /// Adds all entries of `other` with names starting with "prefix.".
  void merge(const std::string& prefix, const State& other);
  /// All entries with names starting with "prefix.", without the prefix.
  State sub(const std::string& prefix) const;
  /// Throw ValueError naming the key if it is missing.
  double number(const std::string& key) const;
  std::int64_t integer(const std::string& key) const;
  const std::string& text(const std::string& key) const;
  const Tensor& tensor(const std::string& key) const;
  /// Throws ValueError if integers["version"] is missing or above `supported`.
  void check_version(const char* what, std::int64_t supported) const;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
