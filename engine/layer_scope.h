// The layer to which ops on this thread belong: profiles are grouped by it.
#pragma once

#pragma GCC visibility push(default)
namespace hanok {

/// The layer is an opaque identity (a module's address). Nodes store it, so that the kernels of the
/// backward pass are attributed to the layer too. Costs two assignments.
class LayerScope {
 public:
  struct Current {
    const void* layer = nullptr;  // null: outside all layers
    bool backward = false;
  };

  explicit LayerScope(const void* layer, bool backward = false);
  ~LayerScope();
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;
  static Current current();

 private:
  Current saved_;
};

}  // namespace hanok
#pragma GCC visibility pop
