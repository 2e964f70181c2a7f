// The 512 bytes in front of a file in a tar archive (POSIX.1-1988, "ustar", and GNU's). Private to
// this room.
#pragma once

#include <cstdint>
#include <string>

namespace hanok::data {

constexpr std::int64_t kTarBlock = 512;

/// What is wrong with the header of a regular file of `bytes` bytes; empty if nothing is:
/// libarchive has read the header once, here it is checked that one stands at a recorded place.
std::string header_problem(const std::uint8_t* block, std::int64_t bytes);

}  // namespace hanok::data
