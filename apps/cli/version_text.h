// What --version prints.
#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

/// "0.1.0"
std::string hanok_version();
/// Which compiled this: "g++ 12.2.0".
std::string compiler_text();

/// Several lines: the program and hanok's version, the compiler, whether CUDA is built in, and
/// which path of the CPU's kernels runs here.
std::string version_text(const std::string& program);

}  // namespace hanok::training
#pragma GCC visibility pop
