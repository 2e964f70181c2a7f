#include "bench/bench_scaling/measure.h"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <limits>
#include <vector>

#include "hanok/apps/preflight/step_work.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/profiler.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/optim.h"

namespace hanok::bench {
namespace {

using training::Ceilings;
using training::RecordedSteps;

constexpr std::int64_t kClasses = 1000, kSteps = 8;
/// NVIDIA's data sheet of the H100 SXM5: FLOP/s of bf16 tensor cores, bytes/s.
constexpr Ceilings kH100{.flop_per_second = 989e12, .bytes_per_second = 3.35e12};

/// What the calls of a step take at the roofline, activations and weights in 16 bits.
void put_at_roofline(std::vector<KernelCall>& calls) {
  for (KernelCall& call : calls) {
    // The optimiser's state stays in f32.
    if (call.pass != KernelCall::Pass::Update) call.bytes /= 2;
    call.seconds = kH100.bound(call);
  }
}

double sum_of(const std::vector<KernelCall>& calls) {
  double seconds = 0;
  for (const KernelCall& call : calls) seconds += call.seconds;
  return seconds;
}

/// Of all threads of this process.
double processor_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The calls of every step are the same ones: each keeps the least time that it took.
void keep_fastest(std::vector<KernelCall>& calls, const std::vector<KernelCall>& again) {
  if (calls.empty()) calls = again;
  if (calls.size() != again.size()) {
    throw Error(
        fmt::format("a step had {} kernels, and another one {}", calls.size(), again.size()));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    calls[i].seconds = std::min(calls[i].seconds, again[i].seconds);
  }
}

/// With costs in proportion to the images.
MeasuredNetwork measure_batch(const std::string& name, std::int64_t batch_size,
                              std::int64_t image_size) {
  const auto model = nn::make_model(name, kClasses, static_cast<int>(image_size));
  const auto optimizer = nn::make_adamw({{"all", model->parameters()}}, {});
  Generator generator(1);
  const Tensor images = random_normal({batch_size, 3, image_size, image_size}, 0, 1, generator);
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < batch_size; ++i) classes.push_back(i % kClasses);
  const Tensor labels = Tensor::from_vector(classes, {batch_size});
  const auto step = [&] {
    StepTransaction transaction;
    optimizer->zero_grad();
    ops::cross_entropy((*model)(images), labels).backward();
    optimizer->step();
    transaction.commit();
  };
  step();  // allocates moments and fills the allocator's cache
  std::vector<KernelCall> calls;
  double seconds = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < kSteps; ++i) {
    const Profiler profiler;
    const double start = processor_seconds();
    step();
    seconds = std::min(seconds, (processor_seconds() - start) / num_threads());
    keep_fastest(calls, profiler.calls());
  }
  // Kernels are timed by the clock. Where others use the machine, that is too long for all of them.
  const double slower = std::max(1.0, sum_of(calls) / seconds);
  for (KernelCall& call : calls) call.seconds /= slower;
  RecordedSteps recorded{
      .steps = 1, .seconds = seconds, .images = batch_size, .threads = num_threads()};
  MeasuredNetwork measured;
  measured.cpu = training::measured_work(*model, calls, recorded);
  put_at_roofline(calls);
  recorded.seconds = sum_of(calls);
  measured.h100 = training::measured_work(*model, calls, recorded);
  return measured;
}

}  // namespace

MeasuredNetwork measure_network(const std::string& model, std::int64_t batch_size,
                                std::int64_t image_size) {
  const MeasuredNetwork whole = measure_batch(model, batch_size, image_size);
  const MeasuredNetwork quarter =
      measure_batch(model, std::max<std::int64_t>(2, batch_size / 4), image_size);
  return {.cpu = training::between(quarter.cpu, whole.cpu),
          .h100 = training::between(quarter.h100, whole.h100)};
}

}  // namespace hanok::bench
