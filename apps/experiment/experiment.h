// The main job: read data, check it, split it, train each fold, report.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "hanok/apps/options/options.h"

namespace hanok::training {

/// Starts a run in the new folder `out`. Returns kSuccess or kInterrupted; throws the errors of
/// its parts.
int start_run(Options options, const std::string& out);

/// Goes on with a run: the end is bitwise that of an unbroken one. `adjust` may change what does
/// not change the result (threads, workers, device).
int resume_run(const std::string& path, const std::function<void(Options&)>& adjust = {});

/// Reads and checks the data, builds the network, prints what would be done. Writes nothing.
void dry_run(const Options& options);

/// Measures a few steps in each freezing mode and prints what a run would take. Writes nothing.
void plan_run(const Options& options);

/// Options with which the demo differs from the defaults.
void apply_demo_preset(Options& options);
/// Draws the demo's synthetic faces into `root`; returns the folder to train on.
std::string draw_demo_data(const std::string& root, std::int64_t people, std::uint64_t seed);
inline constexpr std::int64_t kDemoPeople = 150;

}  // namespace hanok::training
