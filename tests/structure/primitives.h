// The primitives as their descriptions in kernels/primitives name them.
#pragma once

#include <map>
#include <string>

namespace hanok::structure {

/// Description -> name in profiles: "TopK" -> "topk". Read from the sources, so that nothing that
/// is described can be left out.
std::map<std::string, std::string> primitives();

/// Whether `text` holds `word` with no letter, digit or underscore next to it.
bool has_word(const std::string& text, const std::string& word);

}  // namespace hanok::structure
