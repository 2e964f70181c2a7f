// Module: the base class of layers and models. Its members register themselves.
//
//   struct Mlp : nn::Module {
//     nn::Child<nn::Linear> fc1{this, "fc1", 784, 128};
//     nn::Child<nn::Module> head{this, "head", std::make_unique<nn::Linear>(128, 10)};
//     Tensor forward(const Tensor& x) override { return head(ops::relu(fc1(x))); }
//     std::unique_ptr<Module> clone() const override { return clone_as<Mlp>(); }
//     std::string type_name() const override { return "Mlp"; }
//   };
//   Mlp mlp;
//   mlp.head = std::make_unique<nn::Linear>(128, 18);  // one assignment; names and parameters
//   follow
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/nn/state_dict.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

class Module;

/// While alive, the functions of nn/init.h on this thread leave their tensors unchanged: for
/// modules whose values are about to be overwritten (a clone, a weight file).
class WithoutInit {
 public:
  WithoutInit();
  ~WithoutInit();
  WithoutInit(const WithoutInit&) = delete;
  WithoutInit& operator=(const WithoutInit&) = delete;
  static bool active();

 private:
  bool saved_;
};

/// A registry slot for a submodule. `Child<T>` is the concrete slot.
class ChildSlot {
 public:
  /// Throws ValueError if `name` is empty, contains a dot, or is taken in `parent`.
  ChildSlot(Module* parent, std::string name);
  virtual ~ChildSlot() = default;
  ChildSlot(const ChildSlot&) = delete;
  ChildSlot& operator=(const ChildSlot&) = delete;
  const std::string& name() const { return name_; }
  virtual Module* module() const = 0;  // null: an empty slot
  /// Replaces the module; throws ValueError if its type does not fit the slot.
  virtual void replace(std::unique_ptr<Module> module) = 0;

 private:
  std::string name_;
};

/// A learnable tensor of a module. Its identity is its tensor's implementation object: `to()` and
/// `load_state_dict` change the content, so optimisers remain valid.
///
/// Two parameters may be tied (`head->weight.tie_to(embed->weight)`): they are then one tensor,
/// which modules list once, under its first name. clone() and to() keep the tie, optimisers and
/// moving averages see one tensor, and freezing either freezes both. state_dict() has both names,
/// as in PyTorch.
class Parameter {
 public:
  /// Sets requires_grad on `value`. An undefined `value` is allowed ("no bias"); it does not appear
  /// in any listing. Throws ValueError as ChildSlot does.
  Parameter(Module* owner, std::string name, Tensor value);
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;
  const std::string& name() const { return name_; }
  Tensor& data() { return value_; }
  const Tensor& data() const { return value_; }
  operator const Tensor&() const { return value_; }  // NOLINT(*-explicit-*)
  bool defined() const { return value_.defined(); }
  /// Makes this parameter the same tensor as `other`. Throws ValueError unless both are defined
  /// with one shape.
  void tie_to(const Parameter& other);
  Tensor grad() const { return value_.grad(); }
  bool requires_grad() const { return value_.requires_grad(); }
  /// As in PyTorch, this alone does not freeze a batch norm's statistics; Module::freeze() does.
  void set_requires_grad(bool value) { value_.set_requires_grad(value); }

 private:
  friend class Module;
  std::string name_;
  Tensor value_;
  bool frozen_ = false;  // by Module::freeze()
};

/// A tensor that is saved with the module but not trained (running statistics).
class Buffer {
 public:
  Buffer(Module* owner, std::string name, Tensor value);
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  const std::string& name() const { return name_; }
  Tensor& data() { return value_; }
  const Tensor& data() const { return value_; }
  operator const Tensor&() const { return value_; }  // NOLINT(*-explicit-*)

 private:
  friend class Module;
  std::string name_;
  Tensor value_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
struct NamedModule {
  std::string name;  // "" for the root
  Module* module;
};

/// The result of load_state_dict with strict=false.
struct LoadReport {
  std::vector<std::string> missing, unexpected;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Computes the module without hooks; callers use operator().
  virtual Tensor forward(const Tensor& x) = 0;
  /// Calls forward() and its hooks.
  Tensor operator()(const Tensor& x);

  // ---- the registry: in order of declaration, parents first ----
  std::vector<ChildSlot*> children() const;
  /// This module and all submodules.
  std::vector<Module*> modules();
  /// Each name starts with `prefix`.
  std::vector<NamedModule> named_modules(const std::string& prefix = "");
  /// Tensors are listed once, under their first name, however many members they are.
  std::vector<Tensor> parameters();
  std::vector<NamedTensor> named_parameters(const std::string& prefix = "");
  std::vector<NamedTensor> named_buffers(const std::string& prefix = "");
  /// The submodule at a dotted path ("layer1.0.conv1"); throws ValueError listing similar names.
  Module& get_submodule(const std::string& path);
  /// Replaces the module at a dotted path ("classifier.6"). Throws ValueError if there is no such
  /// slot (listing similar names) or the type does not fit.
  void replace_submodule(const std::string& path, std::unique_ptr<Module> module);

  // ---- modes ----
  bool is_training() const { return training_; }
  /// True if it has parameters, including submodules', and freeze() froze all of them: a frozen
  /// batch norm uses its running statistics even after train().
  bool is_frozen() const;
  /// Sets this module and all submodules to training or evaluation mode.
  virtual void train(bool mode = true);
  void eval() { train(false); }
  /// Moves parameters, their gradients and buffers to a device.
  void to(Device device);
  /// Drops the gradients of all parameters.
  void zero_grad();
  /// Calls fn on every module, children before their parents.
  void apply(const std::function<void(Module&)>& fn);

  /// Sets requires_grad=false on every parameter whose full name matches `glob` ('*' crosses dots,
  /// '?', '[...]') or that is below a matching module ("layer1" means all of it), and so freezes
  /// the batch norms among them (see is_frozen). Returns the number of matching parameters; throws
  /// ValueError listing similar names if there is none. A tied parameter counts once.
  int freeze(const std::string& glob);
  /// The inverse: sets requires_grad=true, and batch norms update their statistics again.
  int unfreeze(const std::string& glob);

  // ---- state ----
  /// Parameters and buffers by full name (torchvision's names, for its models), a tied parameter
  /// under each of its names. Tensors share storage with the module.
  StateDict state_dict();
  /// Copies the values in. Throws one ValueError for all missing keys, unexpected keys and shape
  /// mismatches (with similar names), without changing the module. Missing `num_batches_tracked`
  /// are allowed. strict=false allows missing and unexpected keys, but no mismatches.
  LoadReport load_state_dict(const StateDict& dict, bool strict = true);
  /// A deep copy: the same structure, values, modes and requires_grad; hooks are not copied.
  virtual std::unique_ptr<Module> clone() const = 0;

  // ---- hooks: called after forward() of modules that run through operator() or conv_bn_act() ----
  using ForwardHook =
      std::function<void(Module& module, const Tensor& input, const Tensor& output)>;
  /// Returns an id for remove_forward_hook().
  int register_forward_hook(ForwardHook hook);
  /// Throws ValueError if there is no such hook.
  void remove_forward_hook(int id);
  bool has_forward_hooks() const { return !forward_hooks_.empty(); }

  // ---- printing ----
  /// Type name as printed: "Conv2d".
  virtual std::string type_name() const = 0;
  /// The text in parentheses: "3, 64, kernel_size=(7, 7), stride=(2, 2)".
  virtual std::string extra_repr() const { return ""; }
  /// The indented tree as PyTorch prints it, optionally with the number of parameters of each
  /// module (and how many are frozen) after a '#'.
  std::string to_string(bool parameter_counts = false) const;

 protected:
  /// Implements clone(): builds T(args...) without initialisation and copies this module's
  /// submodules, values and modes into it.
  template <typename T, typename... Args>
  std::unique_ptr<Module> clone_as(Args&&... args) const {
    const WithoutInit without_init;
    auto copy = std::make_unique<T>(std::forward<Args>(args)...);
    copy->copy_contents(*this);
    return copy;
  }
  /// For clone() written by hand: ties the tensors of this copy that are one tensor in `original`,
  /// which has the same members.
  void keep_ties_of(const Module& original);

 private:
  friend class ChildSlot;
  friend class Parameter;
  friend class Buffer;
  void check_new_name(const std::string& name) const;
  void copy_contents(const Module& other);
  int set_frozen(const std::string& glob, bool frozen);
  void print(std::string& out, int indent, bool parameter_counts) const;

  std::vector<ChildSlot*> children_;
  std::vector<Parameter*> parameters_;
  std::vector<Buffer*> buffers_;
  std::vector<std::pair<int, ForwardHook>> forward_hooks_;
  int next_hook_id_ = 0;
  bool training_ = true;
};

std::ostream& operator<<(std::ostream& out, const Module& module);

/// Defined in module.cpp to keep the header light.
[[noreturn]] void throw_empty_slot(const std::string& slot);
[[noreturn]] void throw_wrong_child_type(const std::string& slot, const Module* module);

/// A submodule as a member: it owns the module and is its registry slot.
template <typename T>
class Child final : public ChildSlot {
 public:
  /// Builds the module in place, or takes an existing one; nullptr leaves the slot empty.
  template <typename... Args>
  Child(Module* parent, std::string name, Args&&... args)
      : ChildSlot(parent, std::move(name)), module_(make(std::forward<Args>(args)...)) {}

  Child& operator=(std::unique_ptr<T> module) {
    module_ = std::move(module);
    return *this;
  }
  T* operator->() const { return module_.get(); }
  T& operator*() const { return *module_; }
  explicit operator bool() const { return module_ != nullptr; }
  /// Throws ValueError if the slot is empty.
  Tensor operator()(const Tensor& x) const {
    if (module_ == nullptr) throw_empty_slot(name());
    return (*module_)(x);
  }

  Module* module() const override { return module_.get(); }
  void replace(std::unique_ptr<Module> module) override;

 private:
  template <typename... Args>
  static std::unique_ptr<T> make(Args&&... args) {
    if constexpr (sizeof...(Args) == 1 &&
                  (std::is_convertible_v<Args, std::unique_ptr<T>> && ...)) {
      return std::unique_ptr<T>(std::forward<Args>(args)...);
    } else {
      return std::make_unique<T>(std::forward<Args>(args)...);
    }
  }
  std::unique_ptr<T> module_;
};

template <typename T>
void Child<T>::replace(std::unique_ptr<Module> module) {
  if (module == nullptr) {
    module_.reset();
    return;
  }
  T* typed = dynamic_cast<T*>(module.get());
  if (typed == nullptr) throw_wrong_child_type(name(), module.get());
  module.release();  // NOLINT(bugprone-unused-return-value): owned through `typed` from here on
  module_.reset(typed);
}

}  // namespace hanok::nn
#pragma GCC visibility pop
