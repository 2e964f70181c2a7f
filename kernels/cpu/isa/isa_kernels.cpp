#include "hanok/kernels/cpu/isa/isa_kernels.h"

namespace hanok::cpu::HANOK_ISA {

const IsaKernels kernels = {
    .batch_norm = batch_norm,
    .batch_norm_pool = batch_norm_pool,
    .depthwise = depthwise,
    .depthwise3x3 = depthwise3x3,
    .elementwise = elementwise,
    .gemm = gemm,
    .int16 = int16,
    .optimizer_step = optimizer_step,
    .pool = pool,
    .random = random,
    .reduce = reduce,
    .softmax = softmax,
    .winograd2x2 = winograd2x2,
    .winograd4x4 = winograd4x4,
    .winograd_stem = winograd_stem,
    .winograd_strided = winograd_strided,
};

}  // namespace hanok::cpu::HANOK_ISA
