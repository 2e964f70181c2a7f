// The program `explain`: its command line, and what it prints.
#pragma once

#include "hanok/apps/cli/manual.h"
#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Returns the exit code; throws UsageError and the errors of explain().
int explain_command(Arguments arguments, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
