#include "hanok/apps/run/environment.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "hanok/apps/cli/version_text.h"
#include "hanok/apps/run/files.h"
#include "hanok/data/image_libraries.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::training {
namespace {

using nlohmann::ordered_json;

constexpr int kVersionOfFile = 1;

/// Of the flags in /proc/cpuinfo those that name vector instructions.
std::vector<std::string> vector_features() {
  constexpr std::array<std::string_view, 6> kFamilies = {"sse", "ssse", "avx",
                                                         "fma", "f16c", "amx"};
  std::vector<std::string> found;
  std::istringstream flags(cpu_info("flags"));
  for (std::string flag; flags >> flag;) {
    const bool vector =
        std::any_of(kFamilies.begin(), kFamilies.end(),
                    [&](std::string_view family) { return flag.starts_with(family); });
    if (vector) found.push_back(flag);
  }
  std::sort(found.begin(), found.end());
  return found;
}

ordered_json to_json(const Environment& environment) {
  return {{"hanok", environment.hanok},
          {"kernels", environment.kernels},
          {"device", environment.device},
          {"image_libraries", environment.image_libraries},
          {"compiler", environment.compiler},
          {"cpu", environment.cpu},
          {"cpu_features", environment.cpu_features}};
}

Environment from_json(const ordered_json& value) {
  Environment environment;
  value.at("hanok").get_to(environment.hanok);
  value.at("kernels").get_to(environment.kernels);
  value.at("device").get_to(environment.device);
  value.at("image_libraries").get_to(environment.image_libraries);
  value.at("compiler").get_to(environment.compiler);
  value.at("cpu").get_to(environment.cpu);
  value.at("cpu_features").get_to(environment.cpu_features);
  return environment;
}

void compare(std::vector<std::string>& changes, const std::string& what, const std::string& before,
             const std::string& now) {
  if (before == now) return;
  changes.push_back(fmt::format("{}: {} before, {} now", what, before.empty() ? "none" : before,
                                now.empty() ? "none" : now));
}

}  // namespace

std::string cpu_info(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.rfind(key, 0) != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

Environment environment_of(Device device) {
  Environment environment{.hanok = hanok_version(),
                          .kernels = backend_of(Device::cpu()).name(),
                          .device = device.to_string(),
                          .image_libraries = data::image_libraries(),
                          .compiler = compiler_text(),
                          .cpu = cpu_info("model name"),
                          .cpu_features = vector_features()};
  if (!device.is_cpu()) {
    environment.device += fmt::format(" ({})", fmt::join(cuda_runtime()->describe(), "; "));
  }
  return environment;
}

std::vector<std::string> changes(const Environment& before, const Environment& now) {
  std::vector<std::string> found;
  compare(found, "hanok", before.hanok, now.hanok);
  compare(found, "kernels", before.kernels, now.kernels);
  compare(found, "device", before.device, now.device);
  std::map<std::string, std::string> libraries = before.image_libraries;
  libraries.insert(now.image_libraries.begin(), now.image_libraries.end());
  const auto version = [](const Environment& environment, const std::string& library) {
    const auto at = environment.image_libraries.find(library);
    return at == environment.image_libraries.end() ? "" : at->second;
  };
  for (const auto& [library, ignored] : libraries) {
    compare(found, library, version(before, library), version(now, library));
  }
  return found;
}

std::vector<Environment> read_environments(const RunFolder& folder) {
  const std::string path = folder.environment();
  if (!exists(path)) return {};
  try {
    std::vector<Environment> environments;
    const ordered_json file = ordered_json::parse(read_file(path));
    for (const ordered_json& value : file.at("environments")) {
      environments.push_back(from_json(value));
    }
    return environments;
  } catch (const ordered_json::exception& error) {
    throw FormatError(
        fmt::format("{}: {}; without that file a resume cannot say what has changed, "
                    "and nothing else",
                    path, json_problem(error.id)));
  }
}

std::vector<std::string> record_environment(const RunFolder& folder, const Environment& now) {
  std::vector<Environment> environments = read_environments(folder);
  const std::vector<std::string> found =
      environments.empty() ? std::vector<std::string>() : changes(environments.back(), now);
  if (environments.empty() || environments.back() != now) {
    environments.push_back(now);
    ordered_json list = ordered_json::array();
    for (const Environment& environment : environments) list.push_back(to_json(environment));
    const ordered_json file = {{"version", kVersionOfFile}, {"environments", list}};
    write_file(folder.environment(),
               file.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  }
  return found;
}

}  // namespace hanok::training
