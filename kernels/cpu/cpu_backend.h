// The CPU backend and its instruction-set paths.
#pragma once

#include <memory>
#include <string>

#include "hanok/kernels/backend.h"

namespace hanok::cpu {

enum class Isa { Portable, Avx2 };

/// The best path of this CPU by cpuid, or the one named by the environment variable HANOK_ISA
/// ("portable", "avx2"). Throws ValueError for another name and DeviceError for a path that this
/// CPU lacks.
Isa choose_isa();

std::unique_ptr<Backend> make_backend(Isa isa);

}  // namespace hanok::cpu
