#include "hanok/engine/autograd.h"

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/storage.h"
#include "hanok/engine/tensor_impl.h"
#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

thread_local bool recording = true;
thread_local bool leaf_gradients_wanted = true;
thread_local LeafGradients* taker_here = nullptr;
std::atomic<std::uint64_t> next_node_number{1};
/// Number of registered hooks in this process; if 0, backward need not count the uses of leaves.
std::atomic<std::int64_t> hook_count{0};

void add_in_place(Tensor& sum, const Tensor& term) {
  run_on(sum.device(), AddScaled{.alpha = 1, .x = term.view(), .y = sum.mutable_view()});
}

}  // namespace

bool is_owned_alone(const Tensor& tensor) {
  return tensor.impl_pointer().use_count() == 1 && tensor.storage().use_count() == 1 &&
         !tensor.storage()->read_only();
}

// ---- saved tensors ----

namespace {

[[noreturn]] void throw_overwritten(const char* op, const Tensor& tensor) {
  throw AutogradError(std::string(op) + ": a tensor saved for backward, " + tensor.to_string() +
                      ", was overwritten after the forward pass");
}

}  // namespace

void Recomputation::attach(Tensor& output, const std::shared_ptr<Recomputation>& recomputation) {
  recomputation->point_to(output);
  output.impl().recomputation = recomputation;
}

std::shared_ptr<Recomputation> Recomputation::of(const Tensor& tensor) {
  std::shared_ptr<Recomputation> recomputation = tensor.impl().recomputation.lock();
  return recomputation != nullptr && recomputation->version_ == tensor.version() ? recomputation
                                                                                 : nullptr;
}

void Recomputation::point_to(const Tensor& output) {
  storage_ = output.storage();
  shape_ = output.shape();
  dtype_ = output.dtype();
  version_ = output.version();
}

Tensor Recomputation::get_operand(const char* op) {
  if (std::shared_ptr<Storage> storage = storage_.lock()) {
    const Tensor output = Tensor::wrap(std::move(storage), 0, shape_, dtype_);
    if (output.version() != version_) throw_overwritten(op, output);
    return output;
  }
  Tensor output = make(op);
  point_to(output);
  return output;
}

Tensor Recomputation::get(const char* op) {
  Tensor output = get_operand(op);
  if (held_ == Held::Yes) output_ = output;
  return output;
}

SavedTensor::SavedTensor(const Tensor& tensor) {
  if (!tensor.defined()) return;
  recomputation_ = Recomputation::of(tensor);
  if (recomputation_ != nullptr) return;
  // A leaf is kept as it is (it has no node, so there is no cycle); an op's output is kept without
  // its node.
  tensor_ = tensor.is_leaf() ? tensor : tensor.detach();
  version_ = tensor.version();
  storage_ = tensor.storage().get();
}

Tensor SavedTensor::get(const char* op) const {
  if (recomputation_ != nullptr) return recomputation_->get(op);
  if (!tensor_.defined()) return tensor_;
  if (tensor_.storage().get() != storage_ || tensor_.version() != version_) {
    throw_overwritten(op, tensor_);
  }
  return tensor_;
}

Tensor SavedTensor::get_operand(const char* op) const {
  return recomputation_ != nullptr ? recomputation_->get_operand(op) : get(op);
}

Tensor SavedTensor::take(const char* op) {
  Tensor tensor = get(op);
  release();
  return tensor;
}

// ---- the graph ----

Node::~Node() {
  // Long chains are destroyed by a loop instead of recursion: the outermost destructor destroys
  // what the inner ones queue.
  thread_local std::vector<std::shared_ptr<Node>>* queue = nullptr;
  std::vector<std::shared_ptr<Node>> own;
  const bool outermost = queue == nullptr;
  if (outermost) queue = &own;
  for (Edge& edge : edges) {
    if (edge.node == nullptr) continue;
    try {
      queue->push_back(std::move(edge.node));
    } catch (const std::bad_alloc&) {
      edge.node.reset();  // without memory for the queue by recursion
    }
  }
  if (!outermost) return;
  while (!own.empty()) {
    const std::shared_ptr<Node> node = std::move(own.back());
    own.pop_back();
  }
  queue = nullptr;
}

bool grad_enabled() { return recording; }
NoGrad::NoGrad() : saved_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = saved_; }
EnableGrad::EnableGrad() : saved_(recording) { recording = true; }
EnableGrad::~EnableGrad() { recording = saved_; }

WithoutLeafGradients::WithoutLeafGradients() : saved_(leaf_gradients_wanted) {
  leaf_gradients_wanted = false;
}
LeafGradients::Scope::Scope(LeafGradients& taker) : saved_(std::exchange(taker_here, &taker)) {}
LeafGradients::Scope::~Scope() { taker_here = saved_; }
WithoutLeafGradients::~WithoutLeafGradients() { leaf_gradients_wanted = saved_; }
bool Edge::leaf_gradients() { return leaf_gradients_wanted; }

bool any_requires_grad(std::initializer_list<Tensor> inputs) {
  if (!recording) return false;
  for (const Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) return true;
  }
  return false;
}

bool any_requires_grad(const std::vector<Tensor>& inputs) {
  if (!recording) return false;
  for (const Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) return true;
  }
  return false;
}

void set_inputs(Node& node, const std::vector<Tensor>& inputs) {
  node.edges.clear();
  node.edges.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    Edge edge;
    if (input.defined()) {
      edge.node = input.impl().node;
      if (edge.node == nullptr && input.impl().requires_grad) edge.leaf = input.impl_pointer();
    }
    node.edges.push_back(std::move(edge));
  }
}

void record(Tensor& output, std::shared_ptr<Node> node) {
  node->number = next_node_number++;
  node->output_shape = output.shape();
  node->output_dtype = output.dtype();
  node->output_device = output.device();
  node->layer = LayerScope::current().layer;
  // A node that saved its own output shares the elements; the handle that leads back to the node is
  // a different one, since otherwise they would keep each other alive.
  output = output.detach();
  output.impl().node = std::move(node);
}

std::shared_ptr<Node> node_of(const Tensor& tensor) { return tensor.impl().node; }

class GraphInput::Sink final : public Node {
 public:
  const char* name() const override { return "graph_input"; }
  std::vector<Tensor> backward(const Tensor& grad_output) override {
    gradient = grad_output;
    return {};
  }
  void release_saved() override {}

  Tensor gradient;
};

GraphInput::GraphInput(const Tensor& x) : sink_(std::make_shared<Sink>()), tensor_(x.detach()) {
  record(tensor_, sink_);
}

Tensor GraphInput::take_gradient() { return std::move(sink_->gradient); }

// ---- the tensor's part ----

bool Tensor::requires_grad() const {
  return defined() && (impl_->requires_grad || impl_->node != nullptr);
}

bool Tensor::is_leaf() const { return !defined() || impl_->node == nullptr; }

Tensor& Tensor::set_requires_grad(bool value) {
  if (!defined()) throw AutogradError("set_requires_grad: the tensor is undefined");
  if (!is_leaf()) {
    throw AutogradError("set_requires_grad: " + to_string() +
                        " is the result of an op; only leaves can be set (use detach())");
  }
  if (value && dtype() != DType::F32) {
    throw DTypeError("set_requires_grad: only f32 tensors have gradients, got " + to_string());
  }
  impl_->requires_grad = value;
  return *this;
}

Tensor Tensor::grad() const { return defined() ? impl_->grad : Tensor(); }

void Tensor::set_grad(const Tensor& grad) {
  if (!defined()) throw AutogradError("set_grad: the tensor is undefined");
  if (grad.defined() && (grad.shape() != shape() || grad.dtype() != dtype())) {
    throw ShapeError("set_grad: gradient " + grad.to_string() + " does not fit " + to_string());
  }
  if (grad.defined() && grad.device() != device()) {
    throw DeviceError("set_grad: gradient " + grad.to_string() + " does not fit " + to_string());
  }
  impl_->grad = grad;
}

void Tensor::zero_grad() {
  if (!defined()) throw AutogradError("zero_grad: the tensor is undefined");
  impl_->grad = Tensor();
}

void Tensor::register_grad_hook(std::function<void(const Tensor&)> hook) {
  if (!is_leaf() || !requires_grad()) {
    throw AutogradError("register_grad_hook: " + to_string() +
                        " is not a leaf that requires a gradient");
  }
  impl_->grad_hooks.push_back(std::move(hook));
  ++hook_count;
}

// ---- the backward pass ----

namespace {

enum class Leaves { WithHooks, All };

/// Number of edges to each leaf, over the whole graph of `root`.
std::unordered_map<TensorImpl*, std::int64_t> count_uses(Node& root, Leaves leaves) {
  std::unordered_map<TensorImpl*, std::int64_t> uses;
  std::unordered_set<Node*> seen{&root};
  std::vector<Node*> unvisited{&root};
  while (!unvisited.empty()) {
    Node* node = unvisited.back();
    unvisited.pop_back();
    for (const Edge& edge : node->edges) {
      if (edge.leaf != nullptr && (leaves == Leaves::All || !edge.leaf->grad_hooks.empty())) {
        ++uses[edge.leaf.get()];
      }
      if (edge.node != nullptr && seen.insert(edge.node.get()).second) {
        unvisited.push_back(edge.node.get());
      }
    }
  }
  return uses;
}

/// Leaves share a few locks, since most have one user.
std::mutex& lock_of(const TensorImpl& leaf) {
  static std::array<std::mutex, 64> locks;
  return locks[std::hash<const TensorImpl*>()(&leaf) / alignof(TensorImpl) % locks.size()];
}

/// Returns the leaf's gradient so far.
Tensor accumulate_leaf(TensorImpl& leaf, Tensor grad) {
  const std::lock_guard lock(lock_of(leaf));
  if (leaf.grad.defined()) {
    add_in_place(leaf.grad, grad);
  } else {
    leaf.grad = is_owned_alone(grad) ? std::move(grad) : grad.clone();
  }
  return leaf.grad;
}

/// The gradients of leaves that a pass hands on, each when it is complete.
class HandedOn {
 public:
  HandedOn(LeafGradients& taker, Node& root)
      : taker_(taker), uses_(count_uses(root, Leaves::All)) {}
  /// One more use of `leaf` has run; `gradient` may be undefined.
  void add(const std::shared_ptr<TensorImpl>& leaf, const Tensor& gradient) {
    if (gradient.defined()) {
      const auto [place, is_new] = places_.emplace(leaf.get(), sums_.size());
      if (is_new) {
        sums_.push_back({leaf, is_owned_alone(gradient) ? gradient : gradient.clone()});
      } else {
        add_in_place(sums_[place->second].gradient, gradient);
      }
    }
    if (--uses_[leaf.get()] > 0) return;
    const auto place = places_.find(leaf.get());
    if (place != places_.end()) hand_on(sums_[place->second]);
  }
  /// Of leaves with uses that no gradient reached.
  void finish() {
    for (Sum& sum : sums_) {
      if (sum.gradient.defined()) hand_on(sum);
    }
  }

 private:
  struct Sum {
    std::shared_ptr<TensorImpl> leaf;
    Tensor gradient;
  };
  void hand_on(Sum& sum) {
    taker_.take(Tensor::from_impl(sum.leaf), std::exchange(sum.gradient, Tensor()));
  }

  LeafGradients& taker_;
  std::unordered_map<TensorImpl*, std::int64_t> uses_;
  std::unordered_map<TensorImpl*, std::size_t> places_;
  std::vector<Sum> sums_;  // in the order of their first term
};

Tensor gradient_of(const TensorImpl& leaf) {
  const std::lock_guard lock(lock_of(leaf));
  return leaf.grad;
}

/// Node numbers begin with 1.
std::uint64_t number_of(const Edge& edge) { return edge.node != nullptr ? edge.node->number : 0; }

void make_owned_alone(Tensor& tensor) {
  if (!is_owned_alone(tensor)) tensor = tensor.clone();
}

void check_count(const Node& node, std::size_t count) {
  if (count == node.edges.size()) return;
  throw AutogradError(std::string(node.name()) +
                      ": backward returned an incorrect number of gradients (expected " +
                      std::to_string(node.edges.size()) + ", got " + std::to_string(count) + ")");
}

void check_gradient(const Node& node, const Tensor& grad, const Shape& expected, DType dtype,
                    Device device) {
  if (grad.dtype() != dtype) {
    throw AutogradError(std::string(node.name()) + ": backward made a gradient of type " +
                        name_of(grad.dtype()) + " for an input of type " + name_of(dtype));
  }
  if (grad.shape() != expected) {
    throw AutogradError(std::string(node.name()) + ": backward made a gradient of shape " +
                        grad.shape().to_string() + " for an input of shape " +
                        expected.to_string());
  }
  if (grad.device() != device) {
    throw AutogradError(std::string(node.name()) + ": backward made a gradient on " +
                        grad.device().to_string() + " for an input on " + device.to_string());
  }
}

}  // namespace

void Tensor::backward(const Tensor& gradient) const {
  if (!requires_grad()) {
    throw AutogradError("backward: " + to_string() +
                        " does not depend on anything that requires a gradient");
  }
  Tensor seed = gradient;
  if (!seed.defined()) {
    if (numel() != 1) {
      throw AutogradError("backward: " + to_string() +
                          " has more than one element: pass the gradient to start from");
    }
    seed = Tensor::ones(shape(), {dtype(), device()});
  }
  if (seed.shape() != shape()) {
    throw ShapeError("backward: gradient " + seed.to_string() + " does not fit " + to_string());
  }
  if (seed.dtype() != dtype()) {
    throw DTypeError("backward: gradient " + seed.to_string() + " does not fit " + to_string());
  }
  if (seed.device() != device()) {
    throw DeviceError("backward: gradient " + seed.to_string() + " does not fit " + to_string());
  }
  const NoGrad no_grad;
  const MemoryTag tag("gradients");
  const ShortLived passing;  // but for gradients of parameters
  const LayerScope outside(/*layer=*/nullptr, /*backward=*/true);
  if (is_leaf()) {
    if (taker_here != nullptr) {
      taker_here->take(*this, seed.clone());
      return;
    }
    const Tensor sum = accumulate_leaf(*impl_, seed);
    for (const auto& hook : impl_->grad_hooks) hook(sum);
    return;
  }

  std::unordered_map<TensorImpl*, std::int64_t> hooked_uses;
  if (hook_count > 0) hooked_uses = count_uses(*impl_->node, Leaves::WithHooks);
  std::optional<HandedOn> handed_on;
  if (taker_here != nullptr) handed_on.emplace(*taker_here, *impl_->node);

  // An op's number is higher than those of the ops that made its inputs. So "highest number first"
  // visits each node after all its consumers and fixes the order in which gradients are summed.
  struct Pending {
    std::shared_ptr<Node> node;
    Tensor grad;
  };
  std::map<std::uint64_t, Pending, std::greater<>> pending;
  pending.emplace(impl_->node->number, Pending{impl_->node, std::move(seed)});
  while (!pending.empty()) {
    Pending current = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    Node& node = *current.node;
    // Marked first, since a backward() that throws may have consumed some of it.
    if (!node.runs_again() && node.released.exchange(true)) {
      throw AutogradError(
          std::string(node.name()) +
          ": backward runs a second time through a graph whose saved tensors are freed");
    }
    const LayerScope layer(node.layer, /*backward=*/true);
    if (const std::size_t input = node.adds_gradient_of(); input != Node::kNoInput) {
      const auto target = pending.find(number_of(node.edges[input]));
      if (target != pending.end()) {
        make_owned_alone(target->second.grad);
        node.sum = target->second.grad;
      }
    }
    std::vector<Tensor> grads = node.backward(current.grad);
    if (node.sum.defined()) node.sum = Tensor();
    check_count(node, grads.size());
    if (!node.runs_again()) node.release_saved();
    current.grad = Tensor();
    for (std::size_t i = 0; i < node.edges.size(); ++i) {
      const Edge& edge = node.edges[i];
      if (!edge.needs_grad()) continue;
      Tensor grad = std::move(grads[i]);
      if (edge.leaf != nullptr) {
        TensorImpl& leaf = *edge.leaf;
        if (!leaf.requires_grad) continue;  // switched off since the forward pass
        if (grad.defined()) {
          check_gradient(node, grad, leaf.shape, leaf.dtype, leaf.storage->device());
        }
        if (handed_on) {
          handed_on->add(edge.leaf, grad);
          continue;
        }
        if (grad.defined()) accumulate_leaf(leaf, std::move(grad));
        const auto uses = hooked_uses.find(&leaf);
        if (uses != hooked_uses.end() && --uses->second == 0) {
          for (const auto& hook : leaf.grad_hooks) hook(gradient_of(leaf));
        }
        continue;
      }
      if (!grad.defined()) continue;
      const Node& maker = *edge.node;
      check_gradient(node, grad, maker.output_shape, maker.output_dtype, maker.output_device);
      Pending& target = pending[edge.node->number];
      if (target.node == nullptr) {
        target = {edge.node, std::move(grad)};
      } else {
        make_owned_alone(target.grad);
        add_in_place(target.grad, grad);
      }
    }
  }
  if (handed_on) handed_on->finish();
}

// ---- graph pictures ----

std::string graph_to_dot(const Tensor& output) {
  std::ostringstream dot;
  dot << "digraph gradients {\n  rankdir=BT;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  std::unordered_set<const void*> seen;
  std::vector<std::shared_ptr<Node>> unvisited;
  if (output.requires_grad() && !output.is_leaf()) unvisited.push_back(output.impl().node);
  if (!unvisited.empty()) seen.insert(unvisited.front().get());
  while (!unvisited.empty()) {
    const std::shared_ptr<Node> node = std::move(unvisited.back());
    unvisited.pop_back();
    dot << "  n" << node->number << " [label=\"" << node->name() << "\\n"
        << node->output_shape.to_string() << "\"];\n";
    for (const Edge& edge : node->edges) {
      if (edge.node != nullptr) {
        dot << "  n" << edge.node->number << " -> n" << node->number << ";\n";
        if (seen.insert(edge.node.get()).second) unvisited.push_back(edge.node);
      } else if (edge.leaf != nullptr) {
        dot << "  \"" << edge.leaf.get() << "\" -> n" << node->number << ";\n";
        if (seen.insert(edge.leaf.get()).second) {
          dot << "  \"" << edge.leaf.get() << "\" [label=\"leaf\\n"
              << edge.leaf->shape.to_string() << "\", shape=ellipse];\n";
        }
      }
    }
  }
  dot << "}\n";
  return dot.str();
}

}  // namespace hanok
