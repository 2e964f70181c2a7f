// The check shared by constructors of layers.
#pragma once

#include <cstdint>

namespace hanok::nn {

/// Returns `value` if it is at least 1; else throws ValueError naming the layer and the argument.
std::int64_t positive(const char* layer, const char* what, std::int64_t value);

}  // namespace hanok::nn
