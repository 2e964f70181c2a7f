// explain: see prediction/explain_command.h.
#include "hanok/apps/prediction/explain_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("explain", [&](hanok::training::Reporter& reporter) {
    return hanok::training::explain_command({.count = argc, .values = argv}, reporter);
  });
}
