// finetune: see experiment/finetune_command.h.
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/experiment/finetune_command.h"

int main(int argc, char** argv) {
  return hanok::training::run_program("finetune", [&](hanok::training::Reporter& reporter) {
    return hanok::training::finetune_command({.count = argc, .values = argv}, reporter);
  });
}
