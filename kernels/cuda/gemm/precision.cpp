#include "hanok/kernels/cuda/gemm/precision.h"

#include <atomic>
#include <cstdlib>
#include <string>

namespace hanok::cuda {
namespace {

std::atomic<bool>& setting() {
  static std::atomic<bool> allowed = [] {
    const char* value = std::getenv("HANOK_TF32");
    return value != nullptr && std::string(value) == "1";
  }();
  return allowed;
}

}  // namespace

bool tf32_allowed() { return setting().load(std::memory_order_relaxed); }
void allow_tf32(bool allowed) { setting().store(allowed, std::memory_order_relaxed); }

}  // namespace hanok::cuda
