// A GPU backend for tests that keep their operands in host memory.
#pragma once

#include <memory>

#include "hanok/kernels/backend.h"

namespace hanok::test {

/// Around each call: copies operands to device memory of exactly their size, calls the backend,
/// waits, copies results back. Operands at the same host address are the same device memory, so
/// what works in place does so there too.
std::unique_ptr<Backend> stage(std::unique_ptr<Backend> backend);

}  // namespace hanok::test
