// What bench_scaling records: the work of networks, and the curves that the model makes of it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hanok/apps/preflight/scaling.h"

namespace hanok::bench {

/// A network whose step was measured or computed.
struct NamedWork {
  std::string model, device;  // "resnet18", "cpu"
  std::int64_t shared = 0;    // images of the batch that is shared out
  training::StepWork work;
};

nlohmann::json to_json(const NamedWork& named);
/// Throws FormatError for a record without what it needs.
NamedWork work_of_json(const nlohmann::json& json);

constexpr std::int64_t kMostRanks = 1024;

/// Those that join so many machines or GPUs: not shared memory. The threads that wait for messages
/// take nothing from a GPU.
std::vector<training::Link> links_of(const NamedWork& named);

/// Weak and strong scaling over these links.
nlohmann::json curves_of(const NamedWork& named);

}  // namespace hanok::bench
