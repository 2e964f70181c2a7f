// Containers: modules that hold a numbered list of modules.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hanok/nn/module.h"

namespace hanok::nn {

/// Runs its modules one after the other; their names are "0", "1", ... A Conv2d, a BatchNorm2d and
/// (if there is one) a ReLU in a row run as conv_bn_act.
class Sequential : public Module {
 public:
  Sequential() = default;
  /// Throws ValueError for an empty pointer, as append() does.
  explicit Sequential(std::vector<std::unique_ptr<Module>> modules);
  void append(std::unique_ptr<Module> module);
  std::size_t size() const { return slots_.size(); }
  /// Throws ValueError beyond the end.
  Module& operator[](std::size_t i) const;
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Sequential"; }

 private:
  std::size_t run_fused(std::size_t i, Tensor& y) const;
  std::vector<std::unique_ptr<Child<Module>>> slots_;
};

/// Modules named "0", "1", ... for an owner that calls them itself. Throws ValueError where
/// Sequential does, and if it is run as a whole.
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
