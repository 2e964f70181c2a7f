// Sizes in kernels: 64-bit in interfaces, 32-bit where a loop divides, since a GPU divides 32-bit
// integers about five times as fast.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/runtime/launch.h"

namespace hanok::cuda {

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// A size of one axis as an int. Throws ShapeError beyond 2^31.
inline int axis_size(const char* op, std::int64_t size) {
  if (size > INT32_MAX || size < INT32_MIN) {
    throw ShapeError(std::string(op) + ": a size of " + std::to_string(size) +
                     " is beyond what the CUDA kernels address (2^31)");
  }
  return static_cast<int>(size);
}

/// a = quotient * b + remainder, for a >= 0 and b > 0.
struct Split {
  std::int64_t quotient;
  int remainder;
};
__device__ inline Split split(std::int64_t a, int b) {
  if (a <= INT32_MAX) {
    const int quotient = static_cast<int>(a) / b;
    return {quotient, static_cast<int>(a) - quotient * b};
  }
  const std::int64_t quotient = a / b;
  return {quotient, static_cast<int>(a - quotient * b)};
}

}  // namespace hanok::cuda
