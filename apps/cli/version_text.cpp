#include "hanok/apps/cli/version_text.h"

#include <fmt/format.h>
#include <hanok/version.h>  // made by CMake

#include "hanok/engine/runtime.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::training {
namespace {

const char* optimisation() {
#if defined(__OPTIMIZE__)
  return "optimised";
#else
  return "not optimised (debug)";
#endif
}

}  // namespace

std::string hanok_version() { return kVersion; }

std::string compiler_text() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string version_text(const std::string& program) {
  return fmt::format(
      "{} of hanok {}\ncompiler: {}, {}\nCUDA: {}\nCPU kernels: {} (built: portable, avx2)\n",
      program, kVersion, compiler_text(), optimisation(),
      cuda_runtime() == nullptr ? "no (this build has no CUDA backend)" : "yes",
      backend_of(Device::cpu()).name());
}

}  // namespace hanok::training
