#include "bench/bench_scaling/record.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>

#include "hanok/apps/preflight/scaling_text.h"
#include "hanok/kernels/base/error.h"

namespace hanok::bench {
namespace {

using nlohmann::json;
using training::Cost;
using training::LayerWork;
using training::Link;
using training::ScalingPoint;
using training::StepWork;

/// To four digits: a record is no longer than it has to be.
double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }
json to_json(const Cost& cost) { return {rounded(cost.fixed), rounded(cost.per_image)}; }
Cost cost_of(const json& json) {
  return {.fixed = json.at(0).get<double>(), .per_image = json.at(1).get<double>()};
}

json point_json(const ScalingPoint& point) {
  return {{"ranks", point.ranks},
          {"images_per_second", rounded(point.images_per_second)},
          {"efficiency", rounded(point.efficiency)},
          {"limit", describe(point.limit)}};
}

}  // namespace

json to_json(const NamedWork& named) {
  const StepWork& work = named.work;
  json layers = json::array();
  for (const LayerWork& layer : work.layers) {
    layers.push_back({{"name", layer.name},
                      {"forward", to_json(layer.forward)},
                      {"backward", to_json(layer.backward)},
                      {"gradient_bytes", layer.gradient_bytes},
                      {"batch_norm_channels", layer.batch_norm_channels}});
  }
  return {{"model", named.model},       {"device", named.device},
          {"shared", named.shared},     {"batch_size", work.batch_size},
          {"threads", work.threads},    {"other", to_json(work.other)},
          {"layers", std::move(layers)}};
}

NamedWork work_of_json(const json& json) {
  try {
    NamedWork named{.model = json.at("model"),
                    .device = json.at("device"),
                    .shared = json.at("shared"),
                    .work = {.layers = {},
                             .other = cost_of(json.at("other")),
                             .batch_size = json.at("batch_size"),
                             .threads = json.at("threads")}};
    for (const auto& layer : json.at("layers")) {
      named.work.layers.push_back({.name = layer.at("name"),
                                   .forward = cost_of(layer.at("forward")),
                                   .backward = cost_of(layer.at("backward")),
                                   .gradient_bytes = layer.at("gradient_bytes"),
                                   .batch_norm_channels = layer.at("batch_norm_channels")});
    }
    return named;
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(std::string("a record of bench_scaling was expected: ") + error.what());
  }
}

std::vector<Link> links_of(const NamedWork& named) {
  std::vector<Link> links = training::typical_links();
  links.erase(std::remove_if(links.begin(), links.end(),
                             [](const Link& link) { return link.name == "shared memory"; }),
              links.end());
  if (named.device == "cpu") return links;
  for (Link& link : links) link.busy_cores = 0;
  return links;
}

json curves_of(const NamedWork& named) {
  json curves = json::array();
  for (const Link& link : links_of(named)) {
    json weak = json::array();
    json strong = json::array();
    for (const std::int64_t ranks : training::rank_counts(kMostRanks)) {
      weak.push_back(point_json(training::weak_scaling(named.work, ranks, link)));
      if (ranks > named.shared) continue;
      strong.push_back(point_json(training::strong_scaling(named.work, named.shared, ranks, link)));
    }
    curves.push_back({{"model", named.model},
                      {"device", named.device},
                      {"link", link.name},
                      {"batch_size", named.work.batch_size},
                      {"shared", named.shared},
                      {"weak", std::move(weak)},
                      {"strong", std::move(strong)}});
  }
  return curves;
}

}  // namespace hanok::bench
