// Grad-CAM over the photographs of a run's page.
#pragma once

#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/run_report/run_record.h"
#include "hanok/apps/run_report/sections.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// For each of the predictions, by number, what spoke for the answer in the network of its fold
/// that was kept, on the CPU. With RUN/faces.csv also the share of that outside the face's box.
/// Predictions are left out whose photograph or network cannot be read, or whose network has no
/// feature map; all of them if the user interrupts.
Overlays grad_cam_overlays(const RunRecord& run, const std::vector<std::size_t>& numbers,
                           training::Reporter& reporter);

}  // namespace hanok::run_report
#pragma GCC visibility pop
