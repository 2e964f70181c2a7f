// Files of other programs that people give as weights: recognised, to say what they are and what to
// do instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hanok/weights/mapped_file.h"

namespace hanok::weights {

/// True if the bytes hold `text` at `at`.
bool has_at(Bytes bytes, std::size_t at, std::string_view text);

/// What a file is that is neither safetensors nor PyTorch's, with a way out where there is one;
/// empty if it is not recognised. `path` helps where the bytes do not say it.
std::string other_format(const std::string& path, Bytes bytes);

/// The same for a zip archive without a pickle of PyTorch: `names` are its entries.
std::string other_zip(const std::vector<std::string>& names, const std::string& path);

}  // namespace hanok::weights
