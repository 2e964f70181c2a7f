// Containers: modules with a numbered list of submodules.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/kernels/epilogue.h"
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
  /// Functions that are forward(), one after the other: of each module, or of modules that are
  /// fused. Not longer than the modules live.
  std::vector<std::function<Tensor(const Tensor&)>> blocks() const;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Sequential"; }

 private:
  /// Modules from `begin` on that run as one op, or a single one.
  struct Group {
    std::size_t begin = 0, count = 1;
    Activation activation = Activation::None;
  };
  Group group_at(std::size_t i) const;
  Tensor run(const Group& group, const Tensor& x) const;
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
