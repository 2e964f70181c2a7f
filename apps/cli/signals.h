// ctrl-C and SIGTERM as a flag that loops look at between steps.
#pragma once

#pragma GCC visibility push(default)
namespace hanok::training {

/// From now on the first SIGINT or SIGTERM sets the flag; a second one ends the process at once, as
/// if nothing were installed.
void watch_for_interrupts();
/// True after the first signal.
bool interrupted();
/// For programs that run several jobs in one process.
void clear_interrupt();

}  // namespace hanok::training
#pragma GCC visibility pop
