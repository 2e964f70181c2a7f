// The program `report`: its command line.
#pragma once

#include "hanok/apps/cli/manual.h"
#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// Returns the exit code; throws UsageError and the errors of reading runs and writing the page.
int report_command(training::Arguments arguments, training::Reporter& reporter);

}  // namespace hanok::run_report
#pragma GCC visibility pop
