// State: the one dictionary type in which everything with state (optimiser, schedule, generator,
// sampler, early stopping) is saved.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"

namespace hanok::nn {

/// Numbers, texts and tensors by name. Each class writes its own "version" and refuses newer ones.
struct State {
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> integers;
  std::map<std::string, std::string> texts;
  std::map<std::string, Tensor> tensors;

  /// Adds all of `other` under "prefix.".
  void merge(const std::string& prefix, const State& other);
  /// What stands under "prefix.", without it.
  State sub(const std::string& prefix) const;
  /// Throw ValueError naming the key if absent.
  double number(const std::string& key) const;
  std::int64_t integer(const std::string& key) const;
  const std::string& text(const std::string& key) const;
  const Tensor& tensor(const std::string& key) const;
  /// Throws ValueError if integers["version"] is absent or above `supported`.
  void check_version(const char* what, std::int64_t supported) const;
};

}  // namespace hanok::nn
