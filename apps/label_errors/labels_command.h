// The command line of `labels`.
#pragma once

#include "hanok/apps/cli/manual.h"
#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::label_errors {

/// Returns the exit code; throws the errors of its parts.
int labels_command(training::Arguments arguments, training::Reporter& reporter);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
