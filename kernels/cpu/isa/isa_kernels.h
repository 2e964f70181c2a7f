// All functions of one instruction-set path, in a table for each of the headers beside this one.
// kernels_of (kernels/cpu/isa.h) chooses between the paths. A new table is a line in the struct, a
// declaration below it and a line in isa_kernels.cpp.
#pragma once

namespace hanok::cpu {

struct BatchNormKernels;
struct BatchNormPoolKernels;
struct DepthwiseKernels;
struct Depthwise3x3Kernels;
struct ElementwiseKernels;
struct GemmKernels;
struct Int16Kernels;
struct OptimizerKernels;
struct PoolKernels;
struct RandomKernels;
struct ReduceKernels;
struct SoftmaxKernels;
struct Winograd2x2Kernels;
struct Winograd4x4Kernels;
struct WinogradStemKernels;
struct WinogradStridedKernels;

struct IsaKernels {
  const BatchNormKernels& batch_norm;
  const BatchNormPoolKernels& batch_norm_pool;
  const DepthwiseKernels& depthwise;
  const Depthwise3x3Kernels& depthwise3x3;
  const ElementwiseKernels& elementwise;
  const GemmKernels& gemm;
  const Int16Kernels& int16;
  const OptimizerKernels& optimizer_step;
  const PoolKernels& pool;
  const RandomKernels& random;
  const ReduceKernels& reduce;
  const SoftmaxKernels& softmax;
  const Winograd2x2Kernels& winograd2x2;
  const Winograd4x4Kernels& winograd4x4;
  const WinogradStemKernels& winograd_stem;
  const WinogradStridedKernels& winograd_strided;
};

#ifdef HANOK_ISA
// What the sources of this folder define, once per path.
namespace HANOK_ISA {
extern const BatchNormKernels batch_norm;
extern const BatchNormPoolKernels batch_norm_pool;
extern const DepthwiseKernels depthwise;
extern const Depthwise3x3Kernels depthwise3x3;
extern const ElementwiseKernels elementwise;
extern const GemmKernels gemm;
extern const Int16Kernels int16;
extern const OptimizerKernels optimizer_step;
extern const PoolKernels pool;
extern const RandomKernels random;
extern const ReduceKernels reduce;
extern const SoftmaxKernels softmax;
extern const Winograd2x2Kernels winograd2x2;
extern const Winograd4x4Kernels winograd4x4;
extern const WinogradStemKernels winograd_stem;
extern const WinogradStridedKernels winograd_strided;
extern const IsaKernels kernels;
}  // namespace HANOK_ISA
#else
namespace portable {
extern const IsaKernels kernels;
}
namespace avx2 {
extern const IsaKernels kernels;
}
namespace avx512 {
extern const IsaKernels kernels;
}
#endif

}  // namespace hanok::cpu
