// ctrl-C, SIGTERM and a terminal that is closed as a flag that loops look at between steps;
// and files that are lost while they are read.
#pragma once

#pragma GCC visibility push(default)
namespace hanok::training {

/// From now on the first SIGINT, SIGTERM or SIGHUP sets the flag; a second one of any kind ends the
/// process at once, as if nothing were installed. A SIGHUP that is ignored stays so (nohup).
void watch_for_interrupts();
/// From now on a mapped file that is cut off or lost while it is read ends the process with an
/// error of `program` that names the file, and exit code 1. `program` outlives it.
void watch_for_lost_files(const char* program);
/// True after the first signal.
bool interrupted();
/// As a signal would set it: for a job whose processes are interrupted together.
void request_interrupt();
/// For programs that run several jobs in one process.
void clear_interrupt();

}  // namespace hanok::training
#pragma GCC visibility pop
