// The instruction-set paths of the CPU's kernels: their names, and which of them runs.
#pragma once

#include <vector>

#include "hanok/kernels/cpu/isa/isa_kernels.h"

#pragma GCC visibility push(default)
namespace hanok::cpu {

enum class Isa { Portable, Avx2, Avx512 };

/// "portable", "avx2", "avx512": as in HANOK_ISA and Backend::name().
const char* name_of(Isa isa);

/// The paths that this CPU and its operating system have, by cpuid; portable always.
std::vector<Isa> isas_of_this_cpu();

/// AVX2 where the CPU has it, or the path named by the environment variable HANOK_ISA ("portable",
/// "avx2", "avx512"). Throws ValueError for another name and DeviceError for a path that this
/// CPU lacks.
Isa choose_isa();

/// All kernels of a path.
const IsaKernels& kernels_of(Isa isa);

/// Whether cpuid reports VNNI's multiply-add of 16-bit integers for AVX-512.
bool has_vnni();

struct Int16Kernels;
/// The integer kernels that serve a path. All paths give the same bits, so that they need not be
/// its own: those of AVX-512 with VNNI where the CPU has both and HANOK_ISA names no path.
const Int16Kernels& int16_kernels_for(const IsaKernels& kernels);

}  // namespace hanok::cpu
#pragma GCC visibility pop
