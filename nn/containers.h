// Containers: modules with a numbered list of submodules.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// Runs its modules in order; their names are "0", "1", ... A Conv2d followed by a BatchNorm2d and
/// optionally a ReLU runs as conv_bn_act.
class Sequential : public Module {
 public:
  Sequential() = default;
  /// Throws ValueError for a null pointer, as append() does.
  explicit Sequential(std::vector<std::unique_ptr<Module>> modules);
  void append(std::unique_ptr<Module> module);
  std::size_t size() const { return slots_.size(); }
  /// Throws ValueError if i is out of range.
  Module& operator[](std::size_t i) const;
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Sequential"; }

 private:
  std::size_t run_fused(std::size_t i, Tensor& y) const;
  std::vector<std::unique_ptr<Child<Module>>> slots_;
};

/// Modules named "0", "1", ... for an owner that calls them itself. Throws ValueError as Sequential
/// does, and from forward().
class ModuleList : public Module {
 public:
  ModuleList() = default;
  explicit ModuleList(std::vector<std::unique_ptr<Module>> modules);
  void append(std::unique_ptr<Module> module);
  std::size_t size() const { return slots_.size(); }
  Module& operator[](std::size_t i) const;
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "ModuleList"; }

 private:
  std::vector<std::unique_ptr<Child<Module>>> slots_;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
