// An additional observer of kernels' memory accesses: the lab's access patterns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/cuda/emulator/races/races.h"

namespace hanok::emulator {

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void launch_begins() = 0;
  virtual void block_begins() = 0;
  /// An access within bounds by the running thread. `instruction` is an offset in the program.
  virtual void access(std::uintptr_t address, std::size_t bytes, Touch kind,
                      std::uint32_t instruction, bool shared) = 0;
  virtual void launch_ends() = 0;
};
/// Null if there is no observer.
extern Observer* observer;

}  // namespace hanok::emulator
