#include "hanok/engine/layer_scope.h"

namespace hanok {
namespace {

thread_local LayerScope::Current current_layer;

}  // namespace

LayerScope::LayerScope(const void* layer, bool backward) : saved_(current_layer) {
  current_layer = {layer, backward};
}
LayerScope::~LayerScope() { current_layer = saved_; }
LayerScope::Current LayerScope::current() { return current_layer; }

}  // namespace hanok
