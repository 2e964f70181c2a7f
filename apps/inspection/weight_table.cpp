#include "hanok/apps/inspection/weight_table.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/weights/statistics.h"

namespace hanok::training {

std::string describe_totals(const nn::StateDict& tensors) {
  std::size_t count = 0;
  std::int64_t values = 0;
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    ++count;
    values += tensor.numel();
    bytes += tensor.bytes();
  }
  return fmt::format("{} tensors, {} values, {:.2f} MiB", count, values,
                     static_cast<double>(bytes) / (1 << 20));
}

std::string weight_table(const weights::WeightFile& file) {
  std::size_t width = 4;
  for (const auto& [name, tensor] : file.tensors) width = std::max(width, name.size());
  std::string out = fmt::format("{:<{}}  {:<18} {:<5} {:>12} {:>12} {:>12} {:>12}\n", "name", width,
                                "shape", "dtype", "min", "max", "mean", "deviation");
  for (const auto& [name, tensor] : file.tensors) {
    const weights::Statistics s = weights::statistics_of(tensor);
    out += fmt::format("{:<{}}  {:<18} {:<5} ", name, width, tensor.shape().to_string(),
                       hanok::name_of(tensor.dtype()));
    out += s.finite > 0 ? fmt::format("{:>12.5g} {:>12.5g} {:>12.5g} {:>12.5g}", s.min, s.max,
                                      s.mean, s.deviation)
                        : fmt::format("{:>12} {:>12} {:>12} {:>12}", "-", "-", "-", "-");
    if (s.not_finite > 0) out += fmt::format("  ({} not finite)", s.not_finite);
    out += "\n";
  }
  out += fmt::format("total: {} ({})\n", describe_totals(file.tensors), file.format);
  for (const auto& [key, value] : file.metadata) {
    out += fmt::format("metadata: {} = {}\n", key, value);
  }
  for (const std::string& note : file.notes) out += fmt::format("note: {}\n", note);
  if (!file.objects.empty()) {
    out += "objects of Python beside the tensors, left out and never run:\n";
    for (const std::string& object : file.objects) out += fmt::format("  {}\n", object);
  }
  return out;
}

}  // namespace hanok::training
