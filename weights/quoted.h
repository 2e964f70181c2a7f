// Makes names from a file safe for messages.
#pragma once

#include <string>
#include <string_view>

namespace hanok::weights {

/// 'text' in quotes, with control characters escaped and truncated after 120 bytes.
std::string in_quotes(std::string_view text);

}  // namespace hanok::weights
