// What the profiler and its like share: a backend put before a device's own.
#pragma once

#include <memory>
#include <utility>

#include "hanok/engine/layer_scope.h"
#include "hanok/engine/profiler.h"
#include "hanok/engine/runtime.h"

namespace hanok {

/// Puts `front`, a ForwardingBackend, before the device's backend. The runtime owns it until
/// remove_front().
template <typename Front>
Front* install_front(Device device, std::unique_ptr<Front> front) {
  Front* installed = front.get();
  // The backend that works is reachable only by putting another in its place: the front goes in
  // empty and gets it afterwards.
  installed->set_inner(exchange_backend(device, std::move(front)));
  return installed;
}

/// Puts the backend behind `front` back, and destroys `front`.
template <typename Front>
void remove_front(Device device, Front* front) {
  exchange_backend(device, front->take_inner());
}

/// The pass to which an op belongs that this thread runs now.
template <typename Op>
KernelCall::Pass pass_of() {
  constexpr bool kUpdates = requires { Op::kUpdatesParameters; };
  if (kUpdates) return KernelCall::Pass::Update;
  return LayerScope::current().backward ? KernelCall::Pass::Backward : KernelCall::Pass::Forward;
}

}  // namespace hanok
