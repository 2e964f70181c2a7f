#include "hanok/nn/module.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ostream>
#include <unordered_map>
#include <unordered_set>

#include "hanok/engine/allocator.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/engine/packed_weights.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

thread_local bool without_init = false;

std::string join_path(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates) {
  const auto near = near_names(name, candidates);
  return near.empty() ? "" : fmt::format(" (near: {})", fmt::join(near, ", "));
}

// True if the glob matches the name or any module above it.
bool matches_path(const std::string& glob, const std::string& name) {
  if (glob_matches(glob, name)) return true;
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    if (glob_matches(glob, name.substr(0, dot))) return true;
  }
  return false;
}

}  // namespace

// ---- slots ----

WithoutInit::WithoutInit() : saved_(without_init) { without_init = true; }
WithoutInit::~WithoutInit() { without_init = saved_; }
bool WithoutInit::active() { return without_init; }

ChildSlot::ChildSlot(Module* parent, std::string name) : name_(std::move(name)) {
  parent->check_new_name(name_);
  parent->children_.push_back(this);
}

Parameter::Parameter(Module* owner, std::string name, Tensor value)
    : name_(std::move(name)), value_(std::move(value)) {
  owner->check_new_name(name_);
  if (value_.defined()) value_.set_requires_grad(true);
  owner->parameters_.push_back(this);
}

void Parameter::tie_to(const Parameter& other) {
  if (!defined() || !other.defined() || other.value_.shape() != value_.shape()) {
    throw ValueError(fmt::format("tie_to: '{}' is {}, '{}' is {}: both must have one shape", name_,
                                 value_.to_string(), other.name_, other.value_.to_string()));
  }
  value_ = other.value_;
  frozen_ = other.frozen_;
}

Buffer::Buffer(Module* owner, std::string name, Tensor value)
    : name_(std::move(name)), value_(std::move(value)) {
  owner->check_new_name(name_);
  owner->buffers_.push_back(this);
}

void throw_empty_slot(const std::string& slot) {
  throw ValueError(fmt::format("module: slot '{}' is empty and cannot be run", slot));
}

void throw_wrong_child_type(const std::string& slot, const Module* module) {
  throw ValueError(fmt::format("module: slot '{}' cannot hold a {}", slot, module->type_name()));
}

void Module::check_new_name(const std::string& name) const {
  if (name.empty() || name.find('.') != std::string::npos) {
    throw ValueError(
        fmt::format("module: '{}' is not a valid member name (empty or with a dot)", name));
  }
  const auto same = [&](const auto* slot) { return slot->name() == name; };
  if (std::any_of(children_.begin(), children_.end(), same) ||
      std::any_of(parameters_.begin(), parameters_.end(), same) ||
      std::any_of(buffers_.begin(), buffers_.end(), same)) {
    throw ValueError(fmt::format("module: two members are named '{}'", name));
  }
}

// ---- forward ----

Tensor Module::operator()(const Tensor& x) {
  const LayerScope layer(this);
  const MemoryTag tag("activations");
  Tensor output = forward(x);
  // By index over a copy, since a hook may remove itself.
  const auto hooks = forward_hooks_;
  for (const auto& [id, hook] : hooks) hook(*this, x, output);
  return output;
}

int Module::register_forward_hook(ForwardHook hook) {
  forward_hooks_.emplace_back(next_hook_id_, std::move(hook));
  return next_hook_id_++;
}

void Module::remove_forward_hook(int id) {
  const auto found = std::find_if(forward_hooks_.begin(), forward_hooks_.end(),
                                  [&](const auto& entry) { return entry.first == id; });
  if (found == forward_hooks_.end()) {
    throw ValueError(fmt::format("{}: no forward hook with id {}", type_name(), id));
  }
  forward_hooks_.erase(found);
}

// ---- the registry ----

std::vector<ChildSlot*> Module::children() const { return children_; }

std::vector<NamedModule> Module::named_modules(const std::string& prefix) {
  std::vector<NamedModule> result{{prefix, this}};
  for (ChildSlot* slot : children_) {
    if (slot->module() == nullptr) continue;
    for (auto& entry : slot->module()->named_modules(join_path(prefix, slot->name()))) {
      result.push_back(std::move(entry));
    }
  }
  return result;
}

std::vector<Module*> Module::modules() {
  std::vector<Module*> result;
  for (const NamedModule& entry : named_modules()) result.push_back(entry.module);
  return result;
}

std::vector<NamedTensor> Module::named_parameters(const std::string& prefix) {
  std::vector<NamedTensor> result;
  std::unordered_set<const TensorImpl*> seen;
  for (const auto& [path, module] : named_modules(prefix)) {
    for (const Parameter* parameter : module->parameters_) {
      if (parameter->defined() && seen.insert(parameter->data().id()).second) {
        result.push_back({join_path(path, parameter->name()), parameter->data()});
      }
    }
  }
  return result;
}

std::vector<Tensor> Module::parameters() {
  std::vector<Tensor> result;
  for (NamedTensor& entry : named_parameters()) result.push_back(std::move(entry.tensor));
  return result;
}

std::vector<NamedTensor> Module::named_buffers(const std::string& prefix) {
  std::vector<NamedTensor> result;
  std::unordered_set<const TensorImpl*> seen;
  for (const auto& [path, module] : named_modules(prefix)) {
    for (const Buffer* buffer : module->buffers_) {
      if (buffer->data().defined() && seen.insert(buffer->data().id()).second) {
        result.push_back({join_path(path, buffer->name()), buffer->data()});
      }
    }
  }
  return result;
}

Module& Module::get_submodule(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [name, module] : named_modules()) {
    if (name == path) return *module;
    names.push_back(name);
  }
  throw ValueError(
      fmt::format("{}: no submodule '{}'{}", type_name(), path, did_you_mean(path, names)));
}

void Module::replace_submodule(const std::string& path, std::unique_ptr<Module> module) {
  const std::size_t dot = path.rfind('.');
  const bool at_top = dot == std::string::npos;
  Module& parent = at_top ? *this : get_submodule(path.substr(0, dot));
  const std::string name = at_top ? path : path.substr(dot + 1);
  std::vector<std::string> names;
  for (ChildSlot* slot : parent.children_) {
    if (slot->name() == name) return slot->replace(std::move(module));
    names.push_back(slot->name());
  }
  throw ValueError(fmt::format("{}: no slot '{}'{}", type_name(), path, did_you_mean(name, names)));
}

// ---- modes ----

void Module::train(bool mode) {
  training_ = mode;
  for (Parameter* parameter : parameters_) {
    // Weights packed for evaluation are stale after the next step.
    if (mode && parameter->defined() && parameter->requires_grad()) {
      drop_packed_weights(parameter->value_);
    }
  }
  for (const ChildSlot* slot : children_) {
    if (slot->module() != nullptr) slot->module()->train(mode);
  }
}

void Module::to(Device device) {
  for (Module* module : modules()) {
    for (Parameter* parameter : module->parameters_) {
      if (!parameter->defined()) continue;
      Tensor& value = parameter->value_;
      const Tensor grad = value.grad();
      value.swap_contents(value.detach().to(device));
      if (grad.defined()) value.set_grad(grad.to(device));
    }
    for (Buffer* buffer : module->buffers_) {
      if (buffer->value_.defined()) buffer->value_.swap_contents(buffer->value_.to(device));
    }
  }
}

void Module::zero_grad() {
  for (Tensor& parameter : parameters()) parameter.zero_grad();
}

void Module::apply(const std::function<void(Module&)>& fn) {
  for (const ChildSlot* slot : children_) {
    if (slot->module() != nullptr) slot->module()->apply(fn);
  }
  fn(*this);
}

bool Module::is_frozen() const {
  bool any = false;
  for (const Parameter* parameter : parameters_) {
    if (!parameter->defined()) continue;
    if (!parameter->frozen_ || parameter->requires_grad()) return false;
    any = true;
  }
  for (const ChildSlot* slot : children_) {
    if (slot->module() == nullptr || slot->module()->parameters().empty()) continue;
    if (!slot->module()->is_frozen()) return false;
    any = true;
  }
  return any;
}

int Module::set_frozen(const std::string& glob, bool frozen) {
  std::unordered_set<const TensorImpl*> matching;
  std::vector<std::string> candidates;
  for (const auto& [path, module] : named_modules()) {
    if (!path.empty()) candidates.push_back(path);
    for (Parameter* parameter : module->parameters_) {
      if (!parameter->defined()) continue;
      const std::string name = join_path(path, parameter->name());
      candidates.push_back(name);
      if (matches_path(glob, name)) matching.insert(parameter->value_.id());
    }
  }
  if (matching.empty()) {
    throw ValueError(fmt::format("{}: no parameter of {} matches '{}'{}",
                                 frozen ? "freeze" : "unfreeze", type_name(), glob,
                                 did_you_mean(glob, candidates)));
  }
  for (Module* module : modules()) {
    for (Parameter* parameter : module->parameters_) {
      if (!parameter->defined() || matching.count(parameter->value_.id()) == 0) continue;
      parameter->set_requires_grad(!frozen);
      parameter->frozen_ = frozen;
    }
  }
  return static_cast<int>(matching.size());
}

int Module::freeze(const std::string& glob) { return set_frozen(glob, true); }
int Module::unfreeze(const std::string& glob) { return set_frozen(glob, false); }

// ---- state ----

StateDict Module::state_dict() {
  StateDict dict;
  for (const auto& [path, module] : named_modules()) {
    for (const Parameter* parameter : module->parameters_) {
      if (parameter->defined()) {
        dict.insert(join_path(path, parameter->name()), parameter->data().detach());
      }
    }
    for (const Buffer* buffer : module->buffers_) {
      if (buffer->data().defined()) dict.insert(join_path(path, buffer->name()), buffer->data());
    }
  }
  return dict;
}

LoadReport Module::load_state_dict(const StateDict& dict, bool strict) {
  StateDict own = state_dict();
  LoadReport report;
  std::vector<std::string> mismatches, own_names, given_names;
  for (const auto& [name, tensor] : own) {
    own_names.push_back(name);
    const Tensor* given = dict.find(name);
    if (given == nullptr) {
      if (!name.ends_with("num_batches_tracked")) report.missing.push_back(name);
    } else if (!(given->shape() == tensor.shape()) || given->dtype() != tensor.dtype()) {
      mismatches.push_back(fmt::format("{}: found {} {}, expected {} {}", name,
                                       name_of(given->dtype()), given->shape().to_string(),
                                       name_of(tensor.dtype()), tensor.shape().to_string()));
    }
  }
  for (const auto& [name, tensor] : dict) {
    given_names.push_back(name);
    if (!own.contains(name)) report.unexpected.push_back(name);
  }

  const bool names_differ = !report.missing.empty() || !report.unexpected.empty();
  if (!mismatches.empty() || (strict && names_differ)) {
    std::string message = fmt::format(
        "load_state_dict: {} missing, {} unexpected and {} mismatched keys for {}; nothing was "
        "loaded",
        report.missing.size(), report.unexpected.size(), mismatches.size(), type_name());
    for (const std::string& name : report.missing) {
      message += "\n  missing: " + name + did_you_mean(name, report.unexpected);
    }
    for (const std::string& name : report.unexpected) {
      message += "\n  unexpected: " + name + did_you_mean(name, report.missing);
    }
    for (const std::string& mismatch : mismatches) message += "\n  mismatch: " + mismatch;
    throw ValueError(message);
  }

  for (const auto& [name, tensor] : own) {
    const Tensor* given = dict.find(name);
    if (given == nullptr) continue;
    Tensor target = tensor;  // shares storage with the module's tensor
    target.copy_from(*given);
  }
  return report;
}

void Module::copy_contents(const Module& other) {
  if (children_.size() != other.children_.size() ||
      parameters_.size() != other.parameters_.size() || buffers_.size() != other.buffers_.size()) {
    throw ValueError(
        fmt::format("clone: {} rebuilt has different members than the original", type_name()));
  }
  for (std::size_t i = 0; i < children_.size(); ++i) {
    const Module* child = other.children_[i]->module();
    children_[i]->replace(child == nullptr ? nullptr : child->clone());
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& from = *other.parameters_[i];
    parameters_[i]->value_ = from.defined() ? from.value_.detach().clone() : Tensor();
    if (from.defined()) parameters_[i]->value_.set_requires_grad(from.requires_grad());
    parameters_[i]->frozen_ = from.frozen_;
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const Tensor& from = other.buffers_[i]->value_;
    buffers_[i]->value_ = from.defined() ? from.detach().clone() : Tensor();
  }
  training_ = other.training_;
  keep_ties_of(other);
}

void Module::keep_ties_of(const Module& original) {
  std::unordered_map<const TensorImpl*, Tensor> copies;
  const auto keep = [&copies](const auto& originals, const auto& members) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      const Tensor& from = originals[i]->value_;
      if (from.defined())
        members[i]->value_ = copies.emplace(from.id(), members[i]->value_).first->second;
    }
  };
  // Not const: listing modules returns handles that can modify them.
  const std::vector<Module*> originals = const_cast<Module&>(original).modules();
  const std::vector<Module*> mine = modules();
  for (std::size_t m = 0; m < mine.size(); ++m) {
    keep(originals[m]->parameters_, mine[m]->parameters_);
    keep(originals[m]->buffers_, mine[m]->buffers_);
  }
}

// ---- printing ----

namespace {

std::string with_thousands(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::ptrdiff_t i = std::ssize(digits) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), ",");
  }
  return digits;
}

std::string count_comment(const std::vector<Tensor>& parameters) {
  std::int64_t total = 0, frozen = 0;
  for (const Tensor& parameter : parameters) {
    total += parameter.numel();
    if (!parameter.requires_grad()) frozen += parameter.numel();
  }
  if (total == 0) return "";
  return "  # " + with_thousands(total) + " parameters" +
         (frozen == 0 ? "" : ", " + with_thousands(frozen) + " frozen");
}

}  // namespace

void Module::print(std::string& out, int indent, bool parameter_counts) const {
  // Not const: listing parameters returns handles that can modify them.
  const std::string comment =
      parameter_counts ? count_comment(const_cast<Module*>(this)->parameters()) : "";
  out += type_name() + "(" + extra_repr();
  const bool has_children =
      std::any_of(children_.begin(), children_.end(),
                  [](const ChildSlot* slot) { return slot->module() != nullptr; });
  if (!has_children) {
    out += ")" + comment + "\n";
    return;
  }
  out += comment + "\n";
  for (const ChildSlot* slot : children_) {
    if (slot->module() == nullptr) continue;
    out += std::string(static_cast<std::size_t>(indent + 2), ' ') + "(" + slot->name() + "): ";
    slot->module()->print(out, indent + 2, parameter_counts);
  }
  out += std::string(static_cast<std::size_t>(indent), ' ') + ")\n";
}

std::string Module::to_string(bool parameter_counts) const {
  std::string out;
  print(out, 0, parameter_counts);
  out.pop_back();  // the last newline
  return out;
}

std::ostream& operator<<(std::ostream& out, const Module& module) {
  return out << module.to_string();
}

}  // namespace hanok::nn
