// Plans on disk: a folder with one small JSON file per problem, device and version of cuDNN. A
// later process, or a resumed run, uses the same plan again instead of searching.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace hanok::cuda {

struct StoredPlan {
  // The purpose: a plan is valid exactly if all four are equal.
  std::string problem;  // ConvolutionProblem::text()
  std::string device;   // "NVIDIA H100 80GB HBM3, sm_90"
  std::string cudnn;    // "9.19.0"
  bool tuned = false;   // measured, not by heuristics
  // The choice. An empty engine: cuDNN has none, and separate kernels are used.
  std::string engine;
  std::size_t workspace_bytes = 0;
  std::string plan;  // cuDNN's own text
};

/// The stored plan of that problem, device and version, measured or not; nothing if there is none.
/// Throws FormatError, naming the file, if it is damaged or of a newer format.
std::optional<StoredPlan> read_plan(const std::string& folder, const std::string& problem,
                                    const std::string& device, const std::string& cudnn,
                                    bool tuned);

/// Creates the folder if needed; the file is written atomically. Throws IoError.
void write_plan(const std::string& folder, const StoredPlan& plan);

}  // namespace hanok::cuda
