// The race detector's interface for instrumented code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanok::emulator {

enum class Touch : std::uint8_t { Read, Write, Atomic };

/// Called before each access by the running thread. `instruction` is the return address of the
/// reporting call. No effect outside kernels.
void touch(const void* address, std::size_t bytes, Touch kind, const void* instruction);

/// Called by the instrumented sources' constructors.
void watch_races();

}  // namespace hanok::emulator
