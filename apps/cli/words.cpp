#include "hanok/apps/cli/words.h"

#include <fmt/format.h>

namespace hanok::training {

std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  const int first = number < 0 ? 1 : 0;  // behind the sign
  for (int at = static_cast<int>(text.size()) - 3; at > first; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string counted(std::size_t count, const char* one, const char* many) {
  return fmt::format("{} {}", with_commas(static_cast<std::int64_t>(count)),
                     count == 1 ? one : many);
}

}  // namespace hanok::training
