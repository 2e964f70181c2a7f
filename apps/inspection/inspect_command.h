// The program `inspect`: its command line.
#pragma once

#include "hanok/apps/cli/manual.h"
#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::inspection {

/// Returns the exit code; throws UsageError and the errors of the report.
int inspect_command(training::Arguments arguments, training::Reporter& reporter);

}  // namespace hanok::inspection
#pragma GCC visibility pop
