// The CPU backend.
#pragma once

#include <memory>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {

std::unique_ptr<Backend> make_backend(Isa isa);

}  // namespace hanok::cpu
