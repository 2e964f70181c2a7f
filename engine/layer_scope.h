// Which layer the ops on this thread belong to: what a profile puts its times under.
#pragma once

namespace hanok {

/// The layer is an identity (a module's address) and never looked into. Ops record it in their
/// nodes, so the walk back names the layer of each node's kernels too. Costs two assignments.
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
