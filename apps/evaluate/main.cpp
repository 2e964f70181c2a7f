// evaluate: see prediction/evaluate_command.h.
#include "hanok/apps/prediction/evaluate_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("evaluate", [&](hanok::training::Reporter& reporter) {
    return hanok::training::evaluate_command({.count = argc, .values = argv}, reporter);
  });
}
