// The memory that the operating system can still give to this process.
#pragma once

#include <cstddef>
#include <string>

namespace hanok {

/// Bytes that this process may still allocate: what the machine has available or, if less, what the
/// limits of its control group and the parent groups leave. The page cache counts as available,
/// since it is reclaimable, although Linux counts it as used by the group. Returns the largest
/// number if nothing is known. `root` is prepended to /proc and /sys.
std::size_t available_memory(const std::string& root = "");

}  // namespace hanok
