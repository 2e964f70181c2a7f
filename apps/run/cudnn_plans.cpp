#include "hanok/apps/run/cudnn_plans.h"

#include <filesystem>
#include <set>
#include <sstream>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/weights/catalogue.h"

namespace hanok::training {

std::string shared_cudnn_plans() {
  try {
    return (std::filesystem::path(weights::cache_folder()).parent_path() / "cudnn_plans").string();
  } catch (const ValueError&) {
    return "";
  }
}

void use_cudnn_plans(Device device, const CudnnPlanOptions& options) {
  if (device.is_cpu()) return;
  cuda_runtime()->set_plan_options({options.autotune, options.run_plans, shared_cudnn_plans()});
}

void append_cudnn_plans(Device device, const std::string& path) {
  if (device.is_cpu()) return;
  std::string text;
  std::set<std::string> there;
  if (exists(path)) {
    text = read_file(path);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) there.insert(line);
  }
  for (const std::string& line : cuda_runtime()->plan_records()) {
    if (there.insert(line).second) text += line + "\n";
  }
  if (!text.empty()) write_file(path, text);
}

}  // namespace hanok::training
