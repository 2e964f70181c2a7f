// Files of other programs that people give as weights: recognised, to say what they are and what to
// do instead.
#pragma once

#include <string>
#include <string_view>

#include "hanok/weights/mapped_file.h"

namespace hanok::weights {

/// True if the bytes hold `text` at `at`.
bool has_at(Bytes bytes, std::size_t at, std::string_view text);

/// What a file is that is neither safetensors nor PyTorch's, with a way out where there is one;
/// empty if it is not recognised. `path` helps where the bytes do not say it.
std::string other_format(const std::string& path, Bytes bytes);

/// The same for a zip archive that PyTorch's state_dicts are not stored as (TorchScript, NumPy,
/// Keras), found by names in its directory, so that it need not be readable; empty if there are
/// none.
std::string other_zip(const std::string& path, Bytes bytes);

}  // namespace hanok::weights
