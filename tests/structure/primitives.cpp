#include "tests/structure/primitives.h"

#include <regex>

#include "tests/structure/source_tree.h"

namespace hanok::structure {

std::map<std::string, std::string> primitives() {
  const std::regex description(
      R"re(\nstruct (\w+) \{\n  static constexpr const char\* kName = "(\w+)";)re");
  std::map<std::string, std::string> found;
  for (const std::string& file : files("kernels/primitives", {".h"})) {
    const std::string text = read(file);
    for (std::sregex_iterator it(text.begin(), text.end(), description), end; it != end; ++it) {
      found[(*it)[1]] = (*it)[2];
    }
  }
  return found;
}

bool has_word(const std::string& text, const std::string& word) {
  return std::regex_search(text, std::regex("\\b" + word + "\\b"));
}

}  // namespace hanok::structure
