#include "hanok/kernels/cpu/conv2d/conv2d.h"

#include <algorithm>
#include <string>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cpu/call.h"
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
Conv2dWeights weights_of_call(const Call& call, const Conv2dDriver& driver, Conv2dPass pass,
                              const Conv2dShape& shape, ConstView w, const void* packed,
                              Workspace::Scope& scope) {
  Conv2dWeights weights{w.f32(), static_cast<const float*>(packed)};
  if (!packed && packs_for_call(driver, pass, shape)) {
    // Some convolutions read no weights: a phase of a strided one may have no taps.
    const std::size_t bytes = std::max<std::size_t>(driver.packed_bytes(pass, shape), 64);
    auto* scratch = static_cast<float*>(scope.take(bytes));
    driver.pack(call.ctx, kernels_of(call.isa), pass, shape, weights.plain, scratch);
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
  Conv2dPackKey key{.backend = name_of(isa),
                    .algorithm = driver.name,
                    .pass = pass,
                    .groups = shape.groups,
                    .bytes = conv2d_packed_bytes(isa, pass, shape)};
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

bool conv2d_stores_bf16(const Conv2dShape& shape) {
  return driver_for(Conv2dPass::Forward, shape).stores_bf16;
}

void run(const Call& call, const Conv2dPack& op) {
  const Conv2dDriver& driver = driver_for(op.pass, op.shape);
  if (!driver.pack) return;
  driver.pack(call.ctx, kernels_of(call.isa), op.pass, op.shape, op.w.f32(),
              static_cast<float*>(op.packed));
}

// An empty batch is no driver's work: its images lie nowhere, and nothing may be added to a null
// pointer.
void run(const Call& call, const Conv2dForward& op) {
  const Conv2dDriver& driver = driver_for(Conv2dPass::Forward, op.shape);
  Epilogue epilogue = op.epilogue;
  const bool bf16 = op.y.dtype == DType::BF16;
  if (bf16 && !driver.stores_bf16) {
    throw DTypeError(std::string(Conv2dForward::kName) + ": " + driver.name +
                     " stores f32, not bf16");
  }
  if (op.shape.n == 0) {
    const View moments = epilogue.bn_mean_var;
    if (moments.defined()) std::fill_n(moments.f32(), moments.numel(), 0.0F);
    return;
  }
  Workspace::Scope scope(call.ctx.workspace);
  const Conv2dWeights weights =
      weights_of_call(call, driver, Conv2dPass::Forward, op.shape, op.w, op.packed, scope);
  if (bf16) epilogue.bf16 = op.y;
  driver.forward(call.ctx, kernels_of(call.isa), op.shape, op.x.f32(), weights, epilogue,
                 bf16 ? nullptr : op.y.f32());
}

void run(const Call& call, const Conv2dBackwardData& op) {
  if (op.shape.n == 0) return;
  const Conv2dDriver& driver = driver_for(Conv2dPass::BackwardData, op.shape);
  Workspace::Scope scope(call.ctx.workspace);
  const Conv2dWeights weights =
      weights_of_call(call, driver, Conv2dPass::BackwardData, op.shape, op.w, op.packed, scope);
  driver.backward_data(call.ctx, kernels_of(call.isa), op.shape, op.dy.f32(), weights, op.dx.f32());
}

void run(const Call& call, const Conv2dBackwardWeights& op) {
  if (op.shape.n == 0) {
    std::fill_n(op.dw.f32(), op.dw.numel(), 0.0F);
    return;
  }
  const Conv2dDriver& driver = driver_for(Conv2dPass::BackwardWeights, op.shape);
  driver.backward_weights(call.ctx, kernels_of(call.isa), op.shape, op.x.f32(), op.dy.f32(),
                          op.dw.f32());
}

}  // namespace hanok::cpu
