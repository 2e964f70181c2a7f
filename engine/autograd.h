// Reverse-mode differentiation: the graph of nodes that ops record, and the backward pass through
// it.
//
// First derivatives only. Gradients that meet at a node are summed in order of node number, so
// results do not depend on how the graph was traversed. Saved tensors are freed as soon as their
// node has run.
//
// Several threads may run backward passes at once if each has recorded its own graph. Graphs may
// share leaves: every gradient is added, under a lock a leaf, in the order of arrival. So the bits
// of a leaf's sum are the same in every run for two terms, not for more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok {

/// The origin of a node's input: an op's node or a leaf. Both null: no gradient is needed.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<TensorImpl> leaf;
  bool needs_grad() const { return node != nullptr || (leaf != nullptr && leaf_gradients()); }

 private:
  static bool leaf_gradients();  // false inside WithoutLeafGradients
};

/// Recomputes an op's output, bit for bit, from what the op's node saves anyway, so that other
/// nodes need not save that output. The node and every node that saved the output own the
/// recomputation; the output only points to it.
class Recomputation {
 public:
  /// What becomes of a recomputed output: it goes with the last reader's handle (No), or stays
  /// until the recomputation is destroyed (Yes): where the op's own node reads it after the others.
  enum class Held { No, Yes };
  explicit Recomputation(Held held = Held::No) : held_(held) {}
  virtual ~Recomputation() = default;
  /// Declares that `output`, all of its storage, can be recomputed by `recomputation`.
  static void attach(Tensor& output, const std::shared_ptr<Recomputation>& recomputation);
  /// Its recomputation, or null if it has none or was overwritten since.
  static std::shared_ptr<Recomputation> of(const Tensor& tensor);
  /// The output, outside the graph: the tensor itself if it is still alive, else recomputed. `op`
  /// names the node in errors.
  Tensor get(const char* op);
  /// The same for another recomputation, whose operand it is: never held.
  Tensor get_operand(const char* op);

 protected:
  virtual Tensor make(const char* op) const = 0;

 private:
  void point_to(const Tensor& output);

  Held held_;
  Tensor output_;  // if it is held
  std::weak_ptr<Storage> storage_;
  Shape shape_;
  DType dtype_ = DType::F32;
  std::uint64_t version_ = 0;
};

/// A tensor saved for the backward pass, or its recomputation. Stores the version of its storage:
/// reading it after an overwrite is an AutogradError.
class SavedTensor {
 public:
  SavedTensor() = default;
  SavedTensor(const Tensor& tensor);  // NOLINT(*-explicit-*): saved = tensor reads well
  /// The tensor, outside the graph. `op` names the node in the error.
  Tensor get(const char* op) const;
  /// The same as an operand of a recomputation.
  Tensor get_operand(const char* op) const;
  /// The same, and releases it here.
  Tensor take(const char* op);
  bool defined() const { return tensor_.defined() || recomputation_ != nullptr; }
  void release() { *this = SavedTensor(); }

 private:
  Tensor tensor_;
  std::shared_ptr<Recomputation> recomputation_;
  std::uint64_t version_ = 0;
  const void* storage_ = nullptr;  // of the saved bytes: a parameter's may be replaced
};

/// A differentiable op that was applied. Ops derive from it next to their forward function.
class Node {
 public:
  virtual ~Node();
  /// Name of the op, as in messages and graph pictures.
  virtual const char* name() const = 0;
  /// Gradients of the inputs, in the order of `edges` and as many; undefined where needs(i) is
  /// false. Another number, or a gradient of another shape, type or device than its input's, is an
  /// AutogradError in the pass.
  virtual std::vector<Tensor> backward(const Tensor& grad_output) = 0;
  /// The input whose gradient backward() may add to `sum` instead of returning it, for which a pass
  /// sets `sum` before; kNoInput: none. The op returns that gradient where `sum` is undefined.
  virtual std::size_t adds_gradient_of() const { return kNoInput; }
  /// Drops saved tensors. Called right after backward().
  virtual void release_saved() = 0;
  /// True if backward() reads nothing that release_saved() drops. Such a node runs in any number of
  /// backward passes, so that graphs may share it; any other one in a single pass.
  virtual bool runs_again() const { return false; }

  /// True if input i needs a gradient; only then compute it and save anything for it.
  bool needs(std::size_t i) const { return edges[i].needs_grad(); }

  static constexpr std::size_t kNoInput = SIZE_MAX;
  /// What the ops that read the same tensor gave as its gradient so far; undefined: nothing yet.
  Tensor sum;

  std::vector<Edge> edges;
  std::uint64_t number = 0;  // increases with each node recorded in this process
  Shape output_shape;
  DType output_dtype = DType::F32;
  Device output_device = Device::cpu();
  const void* layer = nullptr;  // the layer that ran the op (layer_scope.h)
  std::atomic<bool> released{false};
};

/// False inside NoGrad: ops do not record.
bool grad_enabled();

/// While alive, ops on this thread do not record.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool saved_;
};

/// While alive, ops on this thread record, within NoGrad and a backward pass, too.
class EnableGrad {
 public:
  EnableGrad();
  ~EnableGrad();
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool saved_;
};

/// While alive, ops and backward passes on this thread give leaves no gradients; what ops make
/// still depends on the leaves that need one. For passes that pursue the gradients between ops.
class WithoutLeafGradients {
 public:
  WithoutLeafGradients();
  ~WithoutLeafGradients();
  WithoutLeafGradients(const WithoutLeafGradients&) = delete;
  WithoutLeafGradients& operator=(const WithoutLeafGradients&) = delete;

 private:
  bool saved_;
};

/// Who gets the gradients of leaves in place of the leaves, pass by pass.
class LeafGradients {
 public:
  LeafGradients() = default;
  virtual ~LeafGradients() = default;
  LeafGradients(const LeafGradients&) = delete;
  LeafGradients& operator=(const LeafGradients&) = delete;
  /// `gradient` is all that a backward pass gives `leaf`: called as soon as it is complete, while
  /// the pass goes on. A pass within another (recompute.h) is a pass of its own.
  virtual void take(const Tensor& leaf, Tensor gradient) = 0;

  /// While alive, backward passes on this thread give the leaves' gradients to `taker`, which
  /// outlives it.
  class Scope {
   public:
    explicit Scope(LeafGradients& taker);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    LeafGradients* saved_;
  };
};

/// True if recording is on and any input needs a gradient.
bool any_requires_grad(std::initializer_list<Tensor> inputs);
bool any_requires_grad(const std::vector<Tensor>& inputs);

/// Makes `output` the result of `node`, whose inputs are `inputs` (undefined ones are allowed).
/// Usage in an op:
///   if (any_requires_grad({x, w})) { auto node = std::make_shared<FooNode>();
///     set_inputs(*node, {x, w}); if (node->needs(0)) node->w = w; ...;
///     record(y, std::move(node)); }
void set_inputs(Node& node, const std::vector<Tensor>& inputs);
void record(Tensor& output, std::shared_ptr<Node> node);

/// Where a graph begins: a tensor outside all graphs whose gradient can be had after a backward
/// pass. Unlike a leaf's it is of any type, and no other pass adds to it.
class GraphInput {
 public:
  /// The elements of `x`.
  explicit GraphInput(const Tensor& x);
  const Tensor& tensor() const { return tensor_; }
  /// Undefined if nothing gave one. Releases it here.
  Tensor take_gradient();

 private:
  class Sink;
  std::shared_ptr<Sink> sink_;
  Tensor tensor_;
};

/// The node that made a tensor, or null.
std::shared_ptr<Node> node_of(const Tensor& tensor);

/// True if no other handle shares its elements, so that they may be overwritten.
bool is_owned_alone(const Tensor& tensor);

/// The graph behind `output` in the DOT language, with op names and shapes.
std::string graph_to_dot(const Tensor& output);

}  // namespace hanok
#pragma GCC visibility pop
