#include "hanok/apps/profiling/profile.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/cpu/roofline.h"

namespace hanok::training {

double Ceilings::bound(const KernelCall& call) const {
  return std::max(call.flop / flop_per_second, call.bytes / bytes_per_second);
}

std::string ProfileData::layer_name(const KernelCall& call) const {
  if (call.pass == KernelCall::Pass::Update) return "(optimizer)";
  const auto found = layer_names.find(call.layer);
  return found == layer_names.end() ? "(loss and other)" : found->second;
}

void check_profile_device(Device device) {
  if (device.is_cpu()) return;
  throw UsageError(fmt::format(
      "--profile: measures kernels on the CPU only, and --device selects {}; give --device cpu, or "
      "use NVIDIA's nsys",
      device.to_string()));
}

StepProfile::StepProfile(Reporter& reporter, std::string path, std::string title)
    : reporter_(reporter), path_(std::move(path)) {
  data_.title = std::move(title);
  ThreadPool& pool = context_of(Device::cpu()).pool;
  data_.ceilings = {cpu::measure_fma_peak(pool), cpu::measure_read_bandwidth(pool)};
  profiler_ = std::make_unique<Profiler>();
  profiler_->set_recording(false);
  if (has_other_ranks()) {
    ranks().observe([this](const Communication& communication) { record(communication); });
  }
}

StepProfile::~StepProfile() {
  if (!is_done() && has_other_ranks()) ranks().observe({});
}

void StepProfile::record(const Communication& communication) {
  const std::lock_guard lock(mutex_);
  if (!in_step_) return;
  const auto seconds_ago = [](std::chrono::steady_clock::time_point time) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - time).count();
  };
  const double now = profiler_->now();
  data_.sendings.push_back({.operation = communication.operation,
                            .start = now - seconds_ago(communication.start),
                            .end = now - seconds_ago(communication.end),
                            .bytes = communication.bytes,
                            .in_background = communication.in_background});
}

void StepProfile::add_model(nn::Module& model) {
  for (const nn::NamedModule& entry : model.named_modules()) {
    data_.layer_names[entry.module] = entry.name.empty() ? entry.module->type_name() : entry.name;
    data_.layer_order.push_back(entry.module);
  }
}

void StepProfile::begin_step(std::int64_t remaining) {
  if (is_done()) return;
  const bool warm = begun_ >= kWarmUpSteps || remaining == 0 || !data_.steps.empty();
  ++begun_;
  if (!warm) return;
  profiler_->set_recording(true);
  data_.steps.push_back({profiler_->now(), 0});
  in_step_ = true;
}

void StepProfile::end_step() {
  if (is_done() || !in_step_) return;
  data_.steps.back().end = profiler_->now();
  profiler_->set_recording(false);
  in_step_ = false;
  if (static_cast<std::int64_t>(data_.steps.size()) == kRecordedSteps) finish();
}

void StepProfile::abandon_step() {
  if (is_done()) return;
  --begun_;
  if (!in_step_) return;
  profiler_->set_recording(false);
  data_.steps.pop_back();
  in_step_ = false;
}

void StepProfile::finish() {
  if (is_done()) return;
  if (in_step_) abandon_step();  // one that threw or was interrupted
  const double end = data_.steps.empty() ? 0 : data_.steps.back().end;
  for (const KernelCall& call : profiler_->calls()) {
    if (call.start < end) data_.calls.push_back(call);
  }
  if (has_other_ranks()) ranks().observe({});
  profiler_.reset();
  for (const KernelCall& call : data_.calls) {
    std::size_t sum = 0;
    for (const auto& [tag, bytes] : call.memory) sum += bytes;
    if (sum <= data_.peak_memory) continue;
    data_.peak_memory = sum;
    data_.peak_memory_by_tag = call.memory;
  }
  if (data_.steps.empty()) return;
  const std::string table = profile_table(data_) + communication_text(data_);
  write_file(path_ + ".json", trace_json(data_));
  write_file(path_ + ".txt", table);
  reporter_.print(fmt::format("\n{}\ntrace: {}.json (open it in Perfetto or chrome://tracing)\n",
                              table, path_));
}

}  // namespace hanok::training
