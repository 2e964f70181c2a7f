// inspect: see inspection/inspect_command.h.
#include "hanok/apps/inspection/inspect_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("inspect", [&](hanok::training::Reporter& reporter) {
    return hanok::inspection::inspect_command({.count = argc, .values = argv}, reporter);
  });
}
