// The memory that the operating system can still give to this process.
#pragma once

#include <cstddef>
#include <string>

#pragma GCC visibility push(default)
namespace hanok {

/// Bytes that this process may still allocate: what the machine has available or, if less, what is
/// left of the limits of its control group and the parent groups and of its own limits (`ulimit -v`
/// and `-d`). The page cache counts as available, since it is reclaimable, although Linux counts it
/// as used by the group. Returns the largest number if nothing is known. `root` is prepended to
/// /proc and /sys.
std::size_t available_memory(const std::string& root = "");

/// What is left of the process's own limits alone (RLIMIT_AS, RLIMIT_DATA): addresses count,
/// whether or not memory stands behind them. The largest number without a limit.
std::size_t available_address_space(const std::string& root = "");

/// Bytes of this process that are in the machine's memory now; 0 if unknown.
std::size_t resident_memory(const std::string& root = "");

}  // namespace hanok
#pragma GCC visibility pop
