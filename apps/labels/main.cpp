// labels: see label_errors/labels_command.h.
#include "hanok/apps/label_errors/labels_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("labels", [&](hanok::training::Reporter& reporter) {
    return hanok::label_errors::labels_command({.count = argc, .values = argv}, reporter);
  });
}
