// Plans on disk: a folder with one small JSON file for each problem, device and version of cuDNN.
// A later process, or a run that is resumed, takes the same plan again instead of searching.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace hanok::cuda {

struct StoredPlan {
  // What it is for: a plan fits exactly where all four are the same.
  std::string problem;  // ConvolutionProblem::text()
  std::string device;   // "NVIDIA H100 80GB HBM3, sm_90"
  std::string cudnn;    // "9.19.0"
  bool tuned = false;   // measured, not believed
  // What was chosen. An empty engine: cuDNN has none, and separate kernels do the work.
  std::string engine;
  std::size_t workspace_bytes = 0;
  std::string plan;  // cuDNN's own text
};

/// The stored plan of that problem, device and version, measured or believed; nothing if there is
/// none. Throws FormatError, naming the file, for one that is broken or of a newer format.
std::optional<StoredPlan> read_plan(const std::string& folder, const std::string& problem,
                                    const std::string& device, const std::string& cudnn,
                                    bool tuned);

/// Makes the folder if need be; the file appears whole or not at all. Throws IoError.
void write_plan(const std::string& folder, const StoredPlan& plan);

}  // namespace hanok::cuda
