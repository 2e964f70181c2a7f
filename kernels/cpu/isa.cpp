#include "hanok/kernels/cpu/isa.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "hanok/kernels/base/error.h"

namespace hanok::cpu {
namespace {

/// cpuid says that CPU and operating system have AVX2 and FMA.
bool has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

}  // namespace

const char* name_of(Isa isa) { return isa == Isa::Avx2 ? "avx2" : "portable"; }

const IsaKernels& kernels_of(Isa isa) {
  return isa == Isa::Avx2 ? avx2::kernels : portable::kernels;
}

Isa choose_isa() {
  const char* variable = std::getenv("HANOK_ISA");
  const std::string_view name = variable == nullptr ? "" : variable;
  if (name.empty()) {
    return has_avx2() ? Isa::Avx2 : Isa::Portable;
  }
  if (name == "portable") {
    return Isa::Portable;
  }
  if (name != "avx2") {
    throw ValueError("HANOK_ISA: unknown instruction-set path '" + std::string(name) +
                     "' (expected portable or avx2)");
  }
  if (!has_avx2()) {
    throw DeviceError("HANOK_ISA: this CPU lacks AVX2 or FMA, which the path 'avx2' needs");
  }
  return Isa::Avx2;
}

}  // namespace hanok::cpu
