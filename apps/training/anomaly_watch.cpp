#include "hanok/apps/training/anomaly_watch.h"

#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"

namespace hanok::training {

void check_anomaly_device(Device device) {
  if (device.is_cpu()) return;
  throw UsageError(fmt::format(
      "--detect-anomaly: reads results on the CPU only, and --device selects {}; give --device cpu",
      device.to_string()));
}

AnomalyWatch::AnomalyWatch(const Options& options, nn::Module& model) : model_(model) {
  if (options.detect_anomaly) detector_ = std::make_unique<AnomalyDetector>();
}

std::string AnomalyWatch::name_of_layer(const Anomaly& anomaly) const {
  if (anomaly.pass == KernelCall::Pass::Update) return "the optimizer";
  for (const nn::NamedModule& entry : model_.named_modules()) {
    if (entry.module != anomaly.layer) continue;
    return entry.name.empty() ? entry.module->type_name() : entry.name;
  }
  return "outside all layers (loss, clipping)";
}

std::string AnomalyWatch::name_of_tensor(const void* data) const {
  for (const auto& [name, tensor] : model_.state_dict()) {
    if (tensor.view().data == data) return name;
  }
  return "";
}

std::string AnomalyWatch::explain(const Anomaly& anomaly) const {
  std::string text =
      fmt::format("{}, {}: {}", name_of_layer(anomaly), name_of(anomaly.pass), describe(anomaly));
  if (const std::string name = name_of_tensor(anomaly.made.data); !name.empty()) {
    text += fmt::format("\n  the result is {}", name);
  }
  if (anomaly.given.empty()) return text + "\n  all that it was computed from is finite";
  for (const Anomaly::Operand& given : anomaly.given) {
    const std::string name = name_of_tensor(given.data);
    text += fmt::format(
        "\n  it was computed from {} {}: {} of its values are not finite, the first is {}",
        name.empty() ? "an input" : name, given.shape.to_string(), given.count, given.first);
  }
  return text;
}

}  // namespace hanok::training
