// predict: see prediction/predict_command.h.
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/prediction/predict_command.h"

int main(int argc, char** argv) {
  return hanok::training::run_program("predict", [&](hanok::training::Reporter& reporter) {
    return hanok::training::predict_command({.count = argc, .values = argv}, reporter);
  });
}
