// The race detector's door for instrumented code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanok::emulator {

enum class Touch : std::uint8_t { Read, Write, Atomic };

/// An access by the running thread, before it happens. `instruction` is the return address of the
/// call that tells of it. Does nothing outside of kernels.
void touch(const void* address, std::size_t bytes, Touch kind, const void* instruction);

/// Called by the instrumented sources' constructors.
void watch_races();

}  // namespace hanok::emulator
