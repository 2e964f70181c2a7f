// StateDict: an ordered map from names to tensors, shared by modules and weight files.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class StateDict {
 public:
  using Entry = std::pair<std::string, Tensor>;

  /// Appends; throws ValueError if the name exists.
  void insert(const std::string& name, Tensor tensor);
  /// Null if missing.
  const Tensor* find(const std::string& name) const;
  /// Throws ValueError listing similar names if missing.
  const Tensor& at(const std::string& name) const;
  bool contains(const std::string& name) const { return find(name) != nullptr; }
  /// Returns whether it existed.
  bool erase(const std::string& name);
  /// Replaces the prefix `from` by `to` in each name that has it; returns how many had it.
  int rename_prefix(const std::string& from, const std::string& to);
  /// Appends all of `other`; throws ValueError if both have a name.
  void merge(const StateDict& other);

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// Up to `count` of `candidates` nearest to `name` by edit distance, for suggestions in messages.
std::vector<std::string> near_names(const std::string& name,
                                    const std::vector<std::string>& candidates,
                                    std::size_t count = 3);
/// Glob with '*' (crosses dots), '?' and '[...]'.
bool glob_matches(const std::string& glob, const std::string& text);

}  // namespace hanok::nn
#pragma GCC visibility pop
