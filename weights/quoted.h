// Names that come from a file, made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace hanok::weights {

/// 'text' in quotes, with control characters escaped and cut after 120 bytes.
std::string in_quotes(std::string_view text);

}  // namespace hanok::weights
