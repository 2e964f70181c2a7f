// report: see run_report/report_command.h.
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/run_report/report_command.h"

int main(int argc, char** argv) {
  return hanok::training::run_single_program("report", [&](hanok::training::Reporter& reporter) {
    return hanok::run_report::report_command({.count = argc, .values = argv}, reporter);
  });
}
