// A grammar of pickles: bytes become instructions, so that most sequences run to their end.
#pragma once

#include <string>

#include "tests/fuzz/byte_source.h"

namespace hanok::fuzz {

/// A pickle of at most `most` instructions with its end.
std::string pickle_of(ByteSource& source, int most = 4000);

// ---- parts, for tests that write pickles by hand ----
std::string pickle_text(const std::string& text);
std::string pickle_number(std::uint64_t value);
/// MODULE.NAME
std::string pickle_global(const std::string& module, const std::string& name);
/// A storage of PyTorch as a persistent id.
std::string pickle_storage(const std::string& type, const std::string& key, std::uint64_t numel);
/// A contiguous tensor of one dimension over that storage.
std::string pickle_tensor(const std::string& type, const std::string& key, std::uint64_t numel);

}  // namespace hanok::fuzz
