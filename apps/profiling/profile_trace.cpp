// The trace's format: "Trace Event Format" of the Chromium project. Times are microseconds.
#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "hanok/apps/profiling/profile.h"

namespace hanok::training {
namespace {

using nlohmann::json;

constexpr int kStepRow = 1, kKernelRow = 2, kWaitingRow = 3, kBackgroundRow = 4;
constexpr double kMicroseconds = 1e6;

json span(const std::string& name, int row, double start, double end) {
  return {{"name", name},
          {"ph", "X"},
          {"pid", 1},
          {"tid", row},
          {"ts", start * kMicroseconds},
          {"dur", (end - start) * kMicroseconds}};
}

json row_name(int row, const char* name) {
  return {
      {"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}};
}

/// From the first to the last kernel of each pass within a step.
void add_passes(json& events, const ProfileData& data, const ProfileData::Step& step) {
  using Pass = KernelCall::Pass;
  for (const Pass pass : {Pass::Forward, Pass::Backward, Pass::Update}) {
    double first = -1;
    double last = -1;
    for (const KernelCall& call : data.calls) {
      // The loss's own forward kernels and what follows the update belong to no clear pass.
      const bool inside = call.start >= step.start && call.start + call.seconds <= step.end;
      if (!inside || call.pass != pass) continue;
      if (pass == Pass::Forward && last >= 0 && call.layer == nullptr) continue;
      if (first < 0) first = call.start;
      last = call.start + call.seconds;
    }
    if (first >= 0) events.push_back(span(name_of(pass), kStepRow, first, last));
  }
}

}  // namespace

std::string trace_json(const ProfileData& data) {
  json events = json::array();
  events.push_back(
      {{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", data.title}}}});
  events.push_back(row_name(kStepRow, "steps"));
  events.push_back(row_name(kKernelRow, "kernels"));
  for (std::size_t i = 0; i < data.steps.size(); ++i) {
    const ProfileData::Step& step = data.steps[i];
    events.push_back(span(fmt::format("step {}", i + 1), kStepRow, step.start, step.end));
    add_passes(events, data, step);
  }
  for (const KernelCall& call : data.calls) {
    const double end = call.start + call.seconds;
    json event = span(data.layer_name(call) + " " + call.kernel, kKernelRow, call.start, end);
    event["cat"] = name_of(call.pass);
    event["args"] = {{"layer", data.layer_name(call)},
                     {"kernel", call.kernel},
                     {"shape", call.shape},
                     {"flop", call.flop},
                     {"bytes", call.bytes},
                     {"percent_of_roofline", 100 * data.ceilings.bound(call) / call.seconds}};
    if (!call.variant.empty()) event["args"]["variant"] = call.variant;
    events.push_back(std::move(event));
    json memory = json::object();
    for (const auto& [tag, bytes] : call.memory) memory[tag] = bytes;
    events.push_back({{"name", "memory in bytes"},
                      {"ph", "C"},
                      {"pid", 1},
                      {"ts", end * kMicroseconds},
                      {"args", std::move(memory)}});
  }
  if (!data.sendings.empty()) {
    events.push_back(row_name(kWaitingRow, "messages that a step waits for"));
    events.push_back(row_name(kBackgroundRow, "gradients, beside the backward pass"));
  }
  for (const ProfileData::Sending& sending : data.sendings) {
    json event = span(sending.operation, sending.in_background ? kBackgroundRow : kWaitingRow,
                      sending.start, sending.end);
    event["cat"] = "communication";
    event["args"] = {{"bytes", sending.bytes}};
    events.push_back(std::move(event));
  }
  const json trace = {{"traceEvents", std::move(events)},
                      {"displayTimeUnit", "ms"},
                      {"otherData",
                       {{"title", data.title},
                        {"peak_flop_per_second", data.ceilings.flop_per_second},
                        {"peak_bytes_per_second", data.ceilings.bytes_per_second},
                        {"peak_memory_bytes", data.peak_memory},
                        {"peak_memory_by_tag", data.peak_memory_by_tag}}}};
  return trace.dump() + "\n";
}

}  // namespace hanok::training
