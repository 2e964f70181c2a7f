#include "hanok/kernels/cpu/isa.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "hanok/kernels/base/error.h"

namespace hanok::cpu {
namespace {

bool has(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::Portable:
      return true;
    case Isa::Avx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::Avx512:
      return has(Isa::Avx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0;
  }
#endif
  return isa == Isa::Portable;
}

const char* needs(Isa isa) {
  return isa == Isa::Avx512 ? "AVX-512 (F, BW, DQ, VL)" : "AVX2 or FMA";
}

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::Portable:
      return "portable";
    case Isa::Avx2:
      return "avx2";
    case Isa::Avx512:
      return "avx512";
  }
  return "";
}

const IsaKernels& kernels_of(Isa isa) {
  switch (isa) {
    case Isa::Avx512:
      return avx512::kernels;
    case Isa::Avx2:
      return avx2::kernels;
    case Isa::Portable:
      break;
  }
  return portable::kernels;
}

std::vector<Isa> isas_of_this_cpu() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::Portable, Isa::Avx2, Isa::Avx512}) {
    if (has(isa)) isas.push_back(isa);
  }
  return isas;
}

bool has_vnni() {
#if defined(__x86_64__)
  static const bool found = __builtin_cpu_supports("avx512vnni") != 0;
  return found;
#else
  return false;
#endif
}

const Int16Kernels& int16_kernels_for(const IsaKernels& kernels) {
  const char* named = std::getenv("HANOK_ISA");
  const bool any = named == nullptr || *named == '\0';
  return any && has(Isa::Avx512) && has_vnni() ? avx512::kernels.int16 : kernels.int16;
}

Isa choose_isa() {
  const char* variable = std::getenv("HANOK_ISA");
  const std::string_view name = variable == nullptr ? "" : variable;
  if (name.empty()) return has(Isa::Avx2) ? Isa::Avx2 : Isa::Portable;
  for (const Isa isa : {Isa::Portable, Isa::Avx2, Isa::Avx512}) {
    if (name != name_of(isa)) continue;
    if (has(isa)) return isa;
    throw DeviceError(std::string("HANOK_ISA: this CPU lacks ") + needs(isa) +
                      ", which the path '" + name_of(isa) + "' needs");
  }
  throw ValueError("HANOK_ISA: unknown instruction-set path '" + std::string(name) +
                   "' (expected portable, avx2 or avx512)");
}

}  // namespace hanok::cpu
