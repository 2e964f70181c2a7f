// The CPU backend.
#pragma once

#include <memory>

#include "hanok/kernels/backend.h"
#include "hanok/kernels/cpu/isa.h"

#pragma GCC visibility push(default)
namespace hanok::cpu {

std::unique_ptr<Backend> make_backend(Isa isa);

}  // namespace hanok::cpu
#pragma GCC visibility pop
