// predict: see prediction/predict_command.h.
#include "hanok/apps/prediction/predict_command.h"
#include "hanok/apps/run/ranks.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("predict", [&](hanok::training::Reporter& reporter) {
    return hanok::training::predict_command({.count = argc, .values = argv}, reporter);
  });
}
