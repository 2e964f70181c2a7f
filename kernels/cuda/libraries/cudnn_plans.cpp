#include "hanok/kernels/cuda/libraries/cudnn_plans.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unistd.h>

#include "hanok/kernels/base/error.h"

namespace hanok::cuda {
namespace {

namespace fs = std::filesystem;
constexpr int kFormat = 1;

// FNV-1a, 64 bits: a file name. The file contains its purpose, so a collision is detected.
std::string hash_of(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3U;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

fs::path file_of(const std::string& folder, const std::string& problem, const std::string& device,
                 const std::string& cudnn, bool tuned) {
  const std::string purpose = problem + "\n" + device + "\n" + cudnn + (tuned ? "\ntuned" : "");
  return fs::path(folder) / (hash_of(purpose) + ".json");
}

}  // namespace

std::optional<StoredPlan> read_plan(const std::string& folder, const std::string& problem,
                                    const std::string& device, const std::string& cudnn,
                                    bool tuned) {
  const fs::path file = file_of(folder, problem, device, cudnn, tuned);
  std::ifstream in(file);
  if (!in) return std::nullopt;
  try {
    const nlohmann::json json = nlohmann::json::parse(in);
    if (const int format = json.at("format"); format != kFormat) {
      throw FormatError(file.string() + ": a plan of format " + std::to_string(format) +
                        "; this program reads format " + std::to_string(kFormat));
    }
    StoredPlan plan{json.at("problem"), json.at("device"), json.at("cudnn"),
                    json.at("tuned"),   json.at("engine"), json.at("workspace_bytes"),
                    json.at("plan")};
    if (plan.problem != problem || plan.device != device || plan.cudnn != cudnn ||
        plan.tuned != tuned) {
      return std::nullopt;
    }
    return plan;
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(file.string() + ": not a stored plan: " + error.what());
  }
}

void write_plan(const std::string& folder, const StoredPlan& plan) {
  const fs::path file = file_of(folder, plan.problem, plan.device, plan.cudnn, plan.tuned);
  const fs::path unfinished = file.string() + "." + std::to_string(getpid()) + ".new";
  std::error_code failed;
  fs::create_directories(folder, failed);
  const nlohmann::json json = {{"format", kFormat},     {"problem", plan.problem},
                               {"device", plan.device}, {"cudnn", plan.cudnn},
                               {"engine", plan.engine}, {"workspace_bytes", plan.workspace_bytes},
                               {"tuned", plan.tuned},   {"plan", plan.plan}};
  {
    std::ofstream out(unfinished);
    out << json.dump(1) << '\n';
    out.close();
    if (!out) throw IoError(unfinished.string() + ": cannot be written");
  }
  fs::rename(unfinished, file, failed);
  if (failed) throw IoError(file.string() + ": cannot be written: " + failed.message());
}

}  // namespace hanok::cuda
