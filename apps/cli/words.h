// Numbers in sentences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

/// "12,345"
std::string with_commas(std::int64_t number);
/// "1 image", "12,345 images"
std::string counted(std::size_t count, const char* one, const char* many);

}  // namespace hanok::training
#pragma GCC visibility pop
