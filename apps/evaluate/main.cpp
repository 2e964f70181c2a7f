// evaluate: see prediction/evaluate_command.h.
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/prediction/evaluate_command.h"

int main(int argc, char** argv) {
  return hanok::training::run_program("evaluate", [&](hanok::training::Reporter& reporter) {
    return hanok::training::evaluate_command({.count = argc, .values = argv}, reporter);
  });
}
