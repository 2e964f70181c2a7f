// finetune: see experiment/finetune_command.h.
#include "hanok/apps/experiment/finetune_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_ranked_program("finetune", [&](hanok::training::Reporter& reporter) {
    return hanok::training::finetune_command({.count = argc, .values = argv}, reporter);
  });
}
