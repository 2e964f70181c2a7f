// The program `finetune`: its command line, made from the table of options, and what it starts.
#pragma once

#include "hanok/apps/cli/manual.h"
#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Returns the exit code; throws UsageError and the errors of the run.
int finetune_command(Arguments arguments, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
