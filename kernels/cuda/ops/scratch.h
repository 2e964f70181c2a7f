// Workspace for libraries that need more than its 64-byte alignment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hanok/kernels/exec_context.h"

namespace hanok::cuda {

/// cudaMalloc's alignment.
inline constexpr std::size_t kScratchAlignment = 256;

/// Memory for the scope, aligned to kScratchAlignment; allocates that much more.
inline void* take_aligned(Workspace::Scope& scope, std::size_t bytes) {
  char* memory = static_cast<char*>(scope.take(bytes + kScratchAlignment));
  const std::size_t over = reinterpret_cast<std::uintptr_t>(memory) % kScratchAlignment;
  return memory + (kScratchAlignment - over) % kScratchAlignment;
}

}  // namespace hanok::cuda
