#include "hanok/apps/cli/signals.h"

#include <csignal>

namespace hanok::training {
namespace {

volatile std::sig_atomic_t flag = 0;

extern "C" void note_interrupt(int signal_number) {
  flag = 1;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return flag != 0; }

void clear_interrupt() { flag = 0; }

}  // namespace hanok::training
