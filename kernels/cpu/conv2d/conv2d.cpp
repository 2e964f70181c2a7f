#include "hanok/kernels/cpu/conv2d/conv2d.h"

#include <algorithm>

#include "hanok/kernels/cpu/conv2d/driver.h"

namespace hanok::cpu {
namespace {

const Conv2dDriver& driver_for(Conv2dPass pass, const Conv2dShape& shape) {
  return driver_of(choose_conv2d(pass, shape));
}

// Whether a call that brings no packed weights packs them first.
bool packs_for_call(const Conv2dDriver& driver, Conv2dPass pass, const Conv2dShape& shape) {
  const bool reads_plain = driver.reads_plain && driver.reads_plain(pass, shape);
  return pass != Conv2dPass::BackwardWeights && driver.pack && !reads_plain;
}

// The weights of a call: packed ones, if the driver wants them so, are the caller's or made now in
// the workspace.
Conv2dWeights weights_of_call(ExecContext& context, Isa isa, const Conv2dDriver& driver,
                              Conv2dPass pass, const Conv2dShape& shape, ConstView w,
                              const void* packed, Workspace::Scope& scope) {
  Conv2dWeights weights{w.f32(), static_cast<const float*>(packed)};
  if (!packed && packs_for_call(driver, pass, shape)) {
    // Some convolutions read no weights: a phase of a strided one may have no taps.
    const std::size_t bytes = std::max<std::size_t>(driver.packed_bytes(pass, shape), 64);
    auto* scratch = static_cast<float*>(scope.take(bytes));
    driver.pack(context, kernels_of(isa), pass, shape, weights.plain, scratch);
    weights.packed = scratch;
  }
  return weights;
}

}  // namespace

const char* conv2d_algorithm(Isa /*isa*/, Conv2dPass pass, const Conv2dShape& shape) {
  return driver_for(pass, shape).name;
}

std::size_t conv2d_packed_bytes(Isa /*isa*/, Conv2dPass pass, const Conv2dShape& shape) {
  const Conv2dDriver& driver = driver_for(pass, shape);
  return driver.packed_bytes ? driver.packed_bytes(pass, shape) : 0;
}

Conv2dPackKey conv2d_pack_key(Isa isa, Conv2dPass pass, const Conv2dShape& shape) {
  const Conv2dDriver& driver = driver_for(pass, shape);
  Conv2dPackKey key{name_of(isa), driver.name, pass,
                    shape.groups, {},          conv2d_packed_bytes(isa, pass, shape)};
  if (driver.packs_by_window && driver.packs_by_window(pass, shape)) {
    key.phases = shape.window;
    key.phases.pad_h %= shape.window.stride_h;
    key.phases.pad_w %= shape.window.stride_w;
  }
  return key;
}

std::size_t conv2d_workspace_bytes(Isa /*isa*/, Conv2dPass pass, const Conv2dShape& shape) {
  const Conv2dDriver& driver = driver_for(pass, shape);
  const std::size_t packed =
      packs_for_call(driver, pass, shape) ? driver.packed_bytes(pass, shape) : 0;
  return packed + (driver.workspace_bytes ? driver.workspace_bytes(pass, shape) : 0);
}

void conv2d_pack(ExecContext& context, Isa isa, Conv2dPass pass, const Conv2dShape& shape,
                 ConstView w, void* packed) {
  const Conv2dDriver& driver = driver_for(pass, shape);
  if (!driver.pack) return;
  driver.pack(context, kernels_of(isa), pass, shape, w.f32(), static_cast<float*>(packed));
}

void conv2d_forward(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView x,
                    ConstView w, const void* packed, const Epilogue& epilogue, View y) {
  const Conv2dDriver& driver = driver_for(Conv2dPass::Forward, shape);
  Workspace::Scope scope(context.workspace);
  const Conv2dWeights weights =
      weights_of_call(context, isa, driver, Conv2dPass::Forward, shape, w, packed, scope);
  driver.forward(context, kernels_of(isa), shape, x.f32(), weights, epilogue, y.f32());
}

void conv2d_backward_data(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView dy,
                          ConstView w, const void* packed, View dx) {
  const Conv2dDriver& driver = driver_for(Conv2dPass::BackwardData, shape);
  Workspace::Scope scope(context.workspace);
  const Conv2dWeights weights =
      weights_of_call(context, isa, driver, Conv2dPass::BackwardData, shape, w, packed, scope);
  driver.backward_data(context, kernels_of(isa), shape, dy.f32(), weights, dx.f32());
}

void conv2d_backward_weights(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView x,
                             ConstView dy, View dw) {
  const Conv2dDriver& driver = driver_for(Conv2dPass::BackwardWeights, shape);
  driver.backward_weights(context, kernels_of(isa), shape, x.f32(), dy.f32(), dw.f32());
}

}  // namespace hanok::cpu
