#include "hanok/nn/positive.h"

#include <fmt/format.h>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {

std::int64_t positive(const char* layer, const char* what, std::int64_t value) {
  if (value < 1) {
    throw ValueError(fmt::format("{}: {} must be positive, got {}", layer, what, value));
  }
  return value;
}

}  // namespace hanok::nn
