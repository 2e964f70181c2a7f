// Paths of the sources and of the built programs.
#pragma once

#include <string>

namespace hanok::test {

/// The project's root folder.
std::string source_dir();
/// The build folder; programs are in its bin/.
std::string binary_dir();

}  // namespace hanok::test
