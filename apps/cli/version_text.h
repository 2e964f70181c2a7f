// What --version prints.
#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

/// Several lines: the program and hanok's version, the compiler, whether CUDA is built in, and
/// which path of the CPU's kernels runs here.
std::string version_text(const std::string& program);

}  // namespace hanok::training
#pragma GCC visibility pop
