// convert: see conversion/convert_command.h.
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/conversion/convert_command.h"

int main(int argc, char** argv) {
  return hanok::training::run_program("convert", [&](hanok::training::Reporter& reporter) {
    return hanok::training::convert_command({.count = argc, .values = argv}, reporter);
  });
}
