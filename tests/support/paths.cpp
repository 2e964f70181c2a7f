#include "tests/support/paths.h"

namespace hanok::test {

std::string source_dir() { return HANOK_SOURCE_DIR; }
std::string binary_dir() { return HANOK_BINARY_DIR; }

}  // namespace hanok::test
