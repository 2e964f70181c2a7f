// SHA-256 (FIPS 180-4), for checking downloads.
#pragma once

#include <string>

#include "hanok/weights/mapped_file.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

/// 64 lower-case hexadecimal digits.
std::string sha256(Bytes bytes);

}  // namespace hanok::weights
#pragma GCC visibility pop
