#include "hanok/kernels/cpu/conv2d/conv2d.h"

#include <algorithm>
#include <fmt/format.h>
#include <mutex>
#include <set>
#include <string>

#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/kernels/cpu/conv2d/depthwise.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm.h"
#include "hanok/kernels/cpu/conv2d/winograd2x2.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4.h"
#include "hanok/kernels/cpu/conv2d/winograd_stem.h"
#include "hanok/kernels/cpu/conv2d/winograd_strided.h"
#include "hanok/kernels/cpu/gemm.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"

namespace hanok::cpu {
namespace {

winograd::Kernels winograd_kernels(Isa isa) {
  return {kernels_of(isa).gemm, kernels_of(isa).winograd4x4};
}

winograd2x2::Kernels winograd2_kernels(Isa isa) {
  return {kernels_of(isa).gemm, kernels_of(isa).winograd2x2};
}

winograd_strided::Kernels strided_kernels(Isa isa) {
  return {kernels_of(isa).gemm, kernels_of(isa).winograd_strided};
}

stem::Kernels stem_kernels(Isa isa) {
  return {kernels_of(isa).gemm, kernels_of(isa).winograd_stem};
}

// Whether a call without packed weights reads them as they are.
bool packs_itself(Conv2dPass pass, const Conv2dShape& shape) {
  const Conv2dAlgorithm algorithm = choose_conv2d(pass, shape);
  if (algorithm == Conv2dAlgorithm::WinogradStrided) return true;
  return algorithm == Conv2dAlgorithm::Winograd4x4 && winograd::packs_itself(pass, shape);
}

// The weights in packed form: the caller's, or packed now into the workspace; null where nobody
// needs them so.
const float* packed_weights(ExecContext& context, Isa isa, Conv2dPass pass,
                            const Conv2dShape& shape, ConstView w, const void* packed,
                            Workspace::Scope& scope) {
  if (packed) return static_cast<const float*>(packed);
  if (packs_itself(pass, shape)) return nullptr;
  void* scratch = scope.take(std::max<std::size_t>(conv2d_packed_bytes(isa, pass, shape), 64));
  conv2d_pack(context, isa, pass, shape, w, scratch);
  return static_cast<const float*>(scratch);
}

}  // namespace

const char* conv2d_algorithm(Isa /*isa*/, Conv2dPass pass, const Conv2dShape& shape) {
  const Conv2dAlgorithm algorithm = choose_conv2d(pass, shape);
  const Window2d& w = shape.window;
  const bool by_phase = pass == Conv2dPass::BackwardData && (w.stride_h != 1 || w.stride_w != 1);
  if (!by_phase && algorithm != Conv2dAlgorithm::WinogradStem) return name_of(algorithm);
  // Packed weights of a strided backward-data pass, and of the stem, are ordered by the phases of
  // stride, padding and dilation; the name tells such orders apart. Names live as long as the
  // program.
  static std::mutex mutex;
  static std::set<std::string> names;
  const std::lock_guard lock(mutex);
  const std::string name = fmt::format("{}/stride{}x{}/pad{}x{}/dilation{}x{}", name_of(algorithm),
                                       w.stride_h, w.stride_w, w.pad_h % w.stride_h,
                                       w.pad_w % w.stride_w, w.dilation_h, w.dilation_w);
  return names.insert(name).first->c_str();
}

std::size_t conv2d_packed_bytes(Isa /*isa*/, Conv2dPass pass, const Conv2dShape& shape) {
  switch (choose_conv2d(pass, shape)) {
    case Conv2dAlgorithm::Winograd4x4:
      return winograd::packed_bytes(pass, shape);
    case Conv2dAlgorithm::Winograd2x2:
      return winograd2x2::packed_bytes(shape);
    case Conv2dAlgorithm::WinogradStrided:
      return 0;
    case Conv2dAlgorithm::WinogradStem:
      return stem::packed_bytes(shape);
    case Conv2dAlgorithm::Depthwise:
      return depthwise::packed_bytes(shape);
    case Conv2dAlgorithm::ImplicitGemm:
      break;
  }
  return implicit_gemm::packed_bytes(pass, shape);
}

std::size_t conv2d_workspace_bytes(Isa isa, Conv2dPass pass, const Conv2dShape& shape) {
  const std::size_t packed = pass == Conv2dPass::BackwardWeights || packs_itself(pass, shape)
                                 ? 0
                                 : conv2d_packed_bytes(isa, pass, shape);
  switch (choose_conv2d(pass, shape)) {
    case Conv2dAlgorithm::Winograd4x4:
      return packed + winograd::workspace_bytes(pass, shape);
    case Conv2dAlgorithm::Winograd2x2:
      return packed + winograd2x2::workspace_bytes(shape);
    case Conv2dAlgorithm::WinogradStrided:
      return packed + winograd_strided::workspace_bytes(pass, shape);
    case Conv2dAlgorithm::WinogradStem:
      return packed + stem::workspace_bytes(pass, shape);
    case Conv2dAlgorithm::Depthwise:
      return packed + depthwise::workspace_bytes(pass, shape);
    case Conv2dAlgorithm::ImplicitGemm:
      break;
  }
  return packed + implicit_gemm::workspace_bytes(pass, shape);
}

void conv2d_pack(ExecContext& context, Isa isa, Conv2dPass pass, const Conv2dShape& shape,
                 ConstView w, void* packed) {
  auto* out = static_cast<float*>(packed);
  switch (choose_conv2d(pass, shape)) {
    case Conv2dAlgorithm::Winograd4x4:
      return winograd::pack(context, winograd_kernels(isa), pass, shape, w.f32(), out);
    case Conv2dAlgorithm::Winograd2x2:
      return winograd2x2::pack(context, winograd2_kernels(isa), shape, w.f32(), out);
    case Conv2dAlgorithm::WinogradStrided:
      return;  // reads the weights as they are
    case Conv2dAlgorithm::WinogradStem:
      return stem::pack(context, shape, w.f32(), out);
    case Conv2dAlgorithm::Depthwise:
      return depthwise::pack(shape, w.f32(), out);
    case Conv2dAlgorithm::ImplicitGemm:
      return implicit_gemm::pack(context, kernels_of(isa).gemm, pass, shape, w.f32(), out);
  }
}

void conv2d_forward(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView x,
                    ConstView w, const void* packed, const Epilogue& epilogue, View y) {
  Workspace::Scope scope(context.workspace);
  const float* weights = packed_weights(context, isa, Conv2dPass::Forward, shape, w, packed, scope);
  switch (choose_conv2d(Conv2dPass::Forward, shape)) {
    case Conv2dAlgorithm::Winograd4x4:
      return winograd::forward(context, winograd_kernels(isa), shape, x.f32(), w.f32(), weights,
                               epilogue, y.f32());
    case Conv2dAlgorithm::Winograd2x2:
      return winograd2x2::forward(context, winograd2_kernels(isa), shape, x.f32(), weights,
                                  epilogue, y.f32());
    case Conv2dAlgorithm::WinogradStrided:
      return winograd_strided::forward(context, strided_kernels(isa), shape, x.f32(), w.f32(),
                                       epilogue, y.f32());
    case Conv2dAlgorithm::WinogradStem:
      return stem::forward(context, stem_kernels(isa), shape, x.f32(), weights, epilogue, y.f32());
    case Conv2dAlgorithm::Depthwise:
      return depthwise::forward(context, depthwise::kernels_of(isa), shape, x.f32(), weights,
                                epilogue, y.f32());
    case Conv2dAlgorithm::ImplicitGemm:
      return implicit_gemm::forward(context, kernels_of(isa).gemm, shape, x.f32(), weights,
                                    epilogue, y.f32());
  }
}

void conv2d_backward_data(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView dy,
                          ConstView w, const void* packed, View dx) {
  Workspace::Scope scope(context.workspace);
  const float* weights =
      packed_weights(context, isa, Conv2dPass::BackwardData, shape, w, packed, scope);
  switch (choose_conv2d(Conv2dPass::BackwardData, shape)) {
    case Conv2dAlgorithm::Winograd4x4:
      return winograd::backward_data(context, winograd_kernels(isa), shape, dy.f32(), w.f32(),
                                     weights, dx.f32());
    case Conv2dAlgorithm::WinogradStrided:
      return winograd_strided::backward_data(context, strided_kernels(isa), shape, dy.f32(),
                                             w.f32(), dx.f32());
    case Conv2dAlgorithm::Depthwise:
      return depthwise::backward_data(context, depthwise::kernels_of(isa), shape, dy.f32(), weights,
                                      dx.f32());
    case Conv2dAlgorithm::Winograd2x2:   // forward only
    case Conv2dAlgorithm::WinogradStem:  // an image needs no gradient
    case Conv2dAlgorithm::ImplicitGemm:
      return implicit_gemm::backward_data(context, kernels_of(isa).gemm, shape, dy.f32(), weights,
                                          dx.f32());
  }
}

void conv2d_backward_weights(ExecContext& context, Isa isa, const Conv2dShape& shape, ConstView x,
                             ConstView dy, View dw) {
  switch (choose_conv2d(Conv2dPass::BackwardWeights, shape)) {
    case Conv2dAlgorithm::Winograd4x4:
      return winograd::backward_weights(context, winograd_kernels(isa), shape, x.f32(), dy.f32(),
                                        dw.f32());
    case Conv2dAlgorithm::WinogradStrided:
      return winograd_strided::backward_weights(context, strided_kernels(isa), shape, x.f32(),
                                                dy.f32(), dw.f32());
    case Conv2dAlgorithm::Depthwise:
      return depthwise::backward_weights(context, depthwise::kernels_of(isa), shape, x.f32(),
                                         dy.f32(), dw.f32());
    case Conv2dAlgorithm::WinogradStem:
      return stem::backward_weights(context, stem_kernels(isa), shape, x.f32(), dy.f32(), dw.f32());
    case Conv2dAlgorithm::Winograd2x2:  // forward only
    case Conv2dAlgorithm::ImplicitGemm:
      return implicit_gemm::backward_weights(context, kernels_of(isa).gemm, shape, x.f32(),
                                             dy.f32(), dw.f32());
  }
}

}  // namespace hanok::cpu
