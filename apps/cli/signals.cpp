#include "hanok/apps/cli/signals.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/weights/mapped_file.h"

namespace hanok::training {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

// Atomic, as the system may run the handler on any thread.
std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a handler must not wait");

extern "C" void note_interrupt(int) {
  flag.store(true);
  for (const int number : kSignals) std::signal(number, SIG_DFL);
}

const char* program_name = "";

void write_to_stderr(const char* text) {
  // What cannot be written is lost: the exit code remains.
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

extern "C" void end_for_lost_file(int number, siginfo_t* information, void*) {
  const char* path = weights::MappedFile::path_at(information->si_addr);
  if (path == nullptr) {
    std::signal(number, SIG_DFL);  // not ours: the access is repeated, and ends the process
    return;
  }
  for (const char* part : {program_name, ": ", path, ": was cut off or lost while it was read\n"}) {
    write_to_stderr(part);
  }
  ::_exit(kFailure);
}

}  // namespace

void watch_for_lost_files(const char* program) {
  program_name = program;
  struct sigaction action {};
  action.sa_sigaction = end_for_lost_file;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : kSignals) {
    struct sigaction before {};
    sigaction(number, nullptr, &before);
    const bool survives = number == SIGHUP && before.sa_handler == SIG_IGN;  // under nohup
    if (!survives) sigaction(number, &action, nullptr);
  }
}

bool interrupted() { return flag.load(); }

void request_interrupt() { flag.store(true); }

void clear_interrupt() { flag.store(false); }

}  // namespace hanok::training
