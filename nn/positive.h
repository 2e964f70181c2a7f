// The check that constructors of layers share.
#pragma once

#include <cstdint>

namespace hanok::nn {

/// `value` if it is 1 or more; else throws ValueError naming the layer and the argument.
std::int64_t positive(const char* layer, const char* what, std::int64_t value);

}  // namespace hanok::nn
