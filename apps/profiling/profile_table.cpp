#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "hanok/apps/profiling/profile.h"

namespace hanok::training {
namespace {

constexpr double kMega = 1e6, kGiga = 1e9, kMebibyte = 1 << 20;

struct Row {
  double seconds = 0, flop = 0, bytes = 0, bound = 0;
  std::set<std::string> variants;  // of its convolutions
  void add(const KernelCall& call, const Ceilings& ceilings) {
    seconds += call.seconds;
    flop += call.flop;
    bytes += call.bytes;
    bound += ceilings.bound(call);
    const bool convolution = std::string_view(call.kernel).rfind("conv2d_", 0) == 0;
    if (convolution && !call.variant.empty()) variants.insert(call.variant);
  }
};

std::string joined(const std::set<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : " ") + text;
  return all;
}

/// Layers in the network's order, forward before backward; what is outside layers comes last.
struct RowKey {
  std::size_t order;
  std::string name;
  KernelCall::Pass pass;
  bool operator<(const RowKey& other) const {
    return std::tie(order, name, pass) < std::tie(other.order, other.name, other.pass);
  }
};

std::string memory_table(const ProfileData& data) {
  std::map<std::string, double> highest;
  std::map<std::string, double> sum;
  for (const KernelCall& call : data.calls) {
    for (const auto& [tag, bytes] : call.memory) {
      const auto value = static_cast<double>(bytes);
      highest[tag] = std::max(highest[tag], value);
      sum[tag] += value;
    }
  }
  std::string out =
      fmt::format("{:<20}{:>14}{:>14}{:>14}\n", "memory, MiB", "at the peak", "highest", "mean");
  for (const auto& [tag, bytes] : highest) {
    const auto at_peak = data.peak_memory_by_tag.find(tag);
    const double peak =
        at_peak == data.peak_memory_by_tag.end() ? 0.0 : static_cast<double>(at_peak->second);
    if (bytes == 0 && peak == 0) continue;
    out +=
        fmt::format("{:<20}{:>14.2f}{:>14.2f}{:>14.2f}\n", tag, peak / kMebibyte, bytes / kMebibyte,
                    sum[tag] / static_cast<double>(data.calls.size()) / kMebibyte);
  }
  return out +
         fmt::format("{:<20}{:>14.2f}\n", "all", static_cast<double>(data.peak_memory) / kMebibyte);
}

}  // namespace

std::string profile_table(const ProfileData& data) {
  const auto steps = static_cast<double>(data.steps.size());
  double step_seconds = 0;
  for (const ProfileData::Step& step : data.steps) step_seconds += step.end - step.start;

  std::map<const void*, std::size_t> order;
  for (const void* layer : data.layer_order) order.emplace(layer, order.size());
  std::map<RowKey, Row> rows;
  Row all;
  std::size_t width = 20;
  for (const KernelCall& call : data.calls) {
    const auto found = order.find(call.layer);
    const bool in_layer = found != order.end() && call.pass != KernelCall::Pass::Update;
    const RowKey key{in_layer ? found->second : order.size(), data.layer_name(call), call.pass};
    rows[key].add(call, data.ceilings);
    all.add(call, data.ceilings);
    width = std::max(width, key.name.size() + 2);
  }

  const double share = step_seconds > 0 ? 100 / step_seconds : 0;
  const auto line = [&](const std::string& name, const char* pass, const Row& row) {
    const double seconds = std::max(row.seconds, 1e-12);
    return fmt::format(
        "{:<{}}{:<9}{:>10.3f}{:>7.1f}{:>11.2f}{:>11.4f}{:>10.1f}{:>9.1f}{:>10.0f}  {}\n", name,
        width, pass, 1e3 * row.seconds / steps, row.seconds * share, row.bytes / steps / kMega,
        row.flop / steps / kGiga, row.flop / seconds / kGiga, row.bytes / seconds / kGiga,
        100 * row.bound / seconds, joined(row.variants));
  };
  std::string out = fmt::format(
      "{}: {} steps of {:.2f} ms\n"
      "this machine, measured: {:.1f} GFLOP/s (fused multiply-adds), {:.1f} GB/s (reading)\n"
      "Figures are for one step. FLOP are the mathematics' (a multiply-add is two), bytes are "
      "operands read\nand written once; Winograd multiplies less and may pass 100% of the "
      "roofline.\n\n",
      data.title, data.steps.size(), 1e3 * step_seconds / steps,
      data.ceilings.flop_per_second / kGiga, data.ceilings.bytes_per_second / kGiga);
  out += fmt::format("{:<{}}{:<9}{:>10}{:>7}{:>11}{:>11}{:>10}{:>9}{:>10}  {}\n", "layer", width,
                     "pass", "ms", "%time", "MB", "GFLOP", "GFLOP/s", "GB/s", "%roofline",
                     "algorithm");
  for (const auto& [key, row] : rows) out += line(key.name, name_of(key.pass), row);
  const double outside = std::max(0.0, step_seconds - all.seconds);
  out += fmt::format("{:<{}}{:<9}{:>10.3f}{:>7.1f}\n", "(outside kernels)", width, "",
                     1e3 * outside / steps, outside * share);
  all.variants.clear();
  return out + line("all kernels", "", all) + "\n" + memory_table(data);
}

std::string communication_text(const ProfileData& data) {
  if (data.sendings.empty()) return "";
  // Of the background's time what lies within kernels is hidden.
  double waited = 0;
  double background = 0;
  double hidden = 0;
  double bytes = 0;
  for (const ProfileData::Sending& sending : data.sendings) {
    if (!sending.in_background) {
      waited += sending.end - sending.start;
      continue;
    }
    background += sending.end - sending.start;
    bytes += static_cast<double>(sending.bytes);
    for (const KernelCall& call : data.calls) {
      const double begin = std::max(sending.start, call.start);
      const double end = std::min(sending.end, call.start + call.seconds);
      hidden += std::max(0.0, end - begin);
    }
  }
  const double steps = static_cast<double>(data.steps.size());
  return fmt::format(
      "communication a step: {:.2f} MB of gradients in {:.2f} ms, of which {:.0f}% beside kernels; "
      "{:.2f} ms of waiting for batch norm, loss and predictions\n",
      bytes / steps / 1e6, 1e3 * background / steps,
      background > 0 ? 100 * hidden / background : 100.0, 1e3 * waited / steps);
}

}  // namespace hanok::training
