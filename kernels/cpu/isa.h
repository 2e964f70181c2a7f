// The instruction-set paths of the CPU's kernels: their names, and which of them runs.
#pragma once

#include "hanok/kernels/cpu/isa/isa_kernels.h"

#pragma GCC visibility push(default)
namespace hanok::cpu {

enum class Isa { Portable, Avx2 };

/// "portable", "avx2": as in HANOK_ISA and Backend::name().
const char* name_of(Isa isa);

/// The best path of this CPU by cpuid, or the one named by the environment variable HANOK_ISA
/// ("portable", "avx2"). Throws ValueError for another name and DeviceError for a path that this
/// CPU lacks.
Isa choose_isa();

/// All kernels of a path.
const IsaKernels& kernels_of(Isa isa);

}  // namespace hanok::cpu
#pragma GCC visibility pop
