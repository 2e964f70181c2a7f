// The main job of finetune: read data, check it, split it, train each fold, report.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/apps/options/options.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Draws the data of a demonstration into a folder.
using DrawData = std::function<void(const std::string& folder)>;

/// Starts a run in the new folder `out`, whose lock it holds. Returns kSuccess or kInterrupted;
/// throws the errors of its parts. A start that fails removes what it made. With `draw_data` the
/// data are drawn into `out`/data, once everything else has been checked. `make_finder` is used
/// with --crop face.
int start_run(Options options, const std::string& out, Reporter& reporter,
              const DrawData& draw_data = {},
              const faces::MakeFaceFinder& make_finder = faces::make_mtcnn);

/// Resumes a run: the result is bitwise that of an uninterrupted one. `adjust` may change only
/// options that leave the result unchanged (threads, workers, device), and `data` if the images
/// were moved. The run's own files, classes and faces are used, whatever the data hold now.
int resume_run(const std::string& path, Reporter& reporter,
               const std::function<void(Options&)>& adjust = {});

/// Reads and checks the data, builds the network, prints what would be done. Writes nothing.
void dry_run(Options options, Reporter& reporter,
             const faces::MakeFaceFinder& make_finder = faces::make_mtcnn);

/// Measures a few steps in each freezing mode and prints what a run would take; with `ranks` above
/// 0 also what its steps would take on up to as many ranks. Writes nothing.
void plan_run(Options options, Reporter& reporter,
              const faces::MakeFaceFinder& make_finder = faces::make_mtcnn, std::int64_t ranks = 0);

}  // namespace hanok::training
#pragma GCC visibility pop
