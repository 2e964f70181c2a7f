// How much memory the operating system would still give this process.
#pragma once

#include <cstddef>
#include <string>

namespace hanok {

/// Bytes that this process may still take: what the machine has left or, where that is less, what
/// the limits of its control group and of the groups above leave. The cache of files counts as
/// free, for it gives way; Linux counts it as used by the group that read the files. The largest
/// number where nothing is known. `root` stands before /proc and /sys.
std::size_t available_memory(const std::string& root = "");

}  // namespace hanok
