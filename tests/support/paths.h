// Where tests find the sources and the programs that were built.
#pragma once

#include <string>

namespace hanok::test {

/// The project's root folder.
std::string source_dir();
/// The build's folder: programs lie in its bin/.
std::string binary_dir();

}  // namespace hanok::test
