// convert: see conversion/convert_command.h.
#include "hanok/apps/conversion/convert_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("convert", [&](hanok::training::Reporter& reporter) {
    return hanok::training::convert_command({.count = argc, .values = argv}, reporter);
  });
}
