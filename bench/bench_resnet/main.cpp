// Whole networks on a resident batch of 224x224 images: inference and training steps (forward,
// backward, AdamW).
//
//   bench_resnet --benchmark_filter='ResNet18/train/full'
//
// --device cuda[:N] runs on a GPU (with larger batches), there with --precision f32, tf32, bf16 or
// f16 (training then uses loss scaling). HANOK_BENCH_THREADS=N sets the number of threads;
// HANOK_BENCH_SIZE=small shrinks images and batches for a smoke test. items_per_second uses wall
// time. Benchmarks named memory/ report the memory that training needs, in MB. The train modes
// correspond to fine-tuning: "layer4" trains layer4 and the head over frozen layers, "head" only
// the head; frozen layers run as in evaluation, and "cached_features" trains the head on their
// cached outputs, as in later epochs.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"
#include "hanok/nn/grad_scaler.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/optim.h"
#include "hanok/nn/stages.h"

namespace {

using hanok::Generator;
using hanok::NoGrad;
using hanok::StepTransaction;
using hanok::Tensor;
namespace nn = hanok::nn;
namespace ops = hanok::ops;

constexpr std::int64_t kClasses = 18;

bool small() {
  const char* size = std::getenv("HANOK_BENCH_SIZE");
  return size != nullptr && std::string(size) == "small";
}
const std::int64_t kImageSize = small() ? 32 : 224;  // except in the scaling benchmarks

hanok::Device device = hanok::Device::cpu();

/// Waits for the device, so that the clock measures finished work.
void synchronize() {
  if (device.is_cpu()) return;
  hanok::cuda_runtime()->synchronize(device.index, hanok::CudaRuntime::Stream::Compute);
}

/// Counts images per second of wall time: Google Benchmark's own rate uses the CPU time of one
/// thread.
class ImageRate {
 public:
  explicit ImageRate(benchmark::State& state)
      : state_(state), start_(std::chrono::steady_clock::now()) {}
  ~ImageRate() {
    synchronize();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    state_.counters["items_per_second"] =
        static_cast<double>(state_.iterations() * state_.range(0)) / elapsed.count();
  }
  ImageRate(const ImageRate&) = delete;
  ImageRate& operator=(const ImageRate&) = delete;

 private:
  benchmark::State& state_;
  std::chrono::steady_clock::time_point start_;
};

Tensor random_images(std::int64_t count, std::int64_t size = kImageSize) {
  Generator generator(1);
  return hanok::random_normal({count, 3, size, size}, 0, 1, generator).to(device);
}

void inference(benchmark::State& state, const std::string& model_name) {
  const auto model = nn::make_model(model_name, 1000, kImageSize);
  model->to(device);
  model->eval();
  const Tensor images = random_images(state.range(0));
  const NoGrad no_grad;
  benchmark::DoNotOptimize((*model)(images));  // packs the weights; on a GPU selects kernels
  synchronize();
  const ImageRate rate(state);
  for (auto _ : state) benchmark::DoNotOptimize((*model)(images));
}

/// The parameters to train, by name; no globs: all.
struct TrainMode {
  std::string name;
  std::vector<std::string> trainable;
  bool cached_features = false;  // the frozen stages' outputs are cached, as in later epochs
};

/// Bytes reported by /proc/self/status: "VmRSS" (resident now) or "VmHWM" (peak).
double resident_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

/// Resets VmHWM.
void forget_resident_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

/// Makes the model, the optimiser and a batch, then calls `measure(step)`.
template <typename Measure>
void with_training_step(benchmark::State& state, const std::string& model_name,
                        const TrainMode& mode, const Measure& measure) {
  const auto model = nn::make_model(model_name, kClasses, kImageSize);
  model->to(device);
  if (!mode.trainable.empty()) {
    model->freeze("*");
    for (const std::string& glob : mode.trainable) model->unfreeze(glob);
  }
  std::vector<Tensor> parameters;
  for (const Tensor& parameter : model->parameters()) {
    if (parameter.requires_grad()) parameters.push_back(parameter);
  }
  const auto optimizer = nn::make_adamw({{"all", parameters}}, {});
  const Tensor images = random_images(state.range(0));
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < state.range(0); ++i) classes.push_back(i % kClasses);
  const Tensor labels = Tensor::from_vector(classes, {state.range(0)}).to(device);
  std::optional<nn::GradScaler> scaler;
  if (hanok::precision() == hanok::Precision::F16) {
    scaler.emplace(device);
    optimizer->set_skip(scaler->found());
  }
  auto* staged = dynamic_cast<nn::StagedModule*>(model.get());
  Tensor features;
  if (mode.cached_features) {
    const NoGrad no_grad;
    features = staged->forward_stages(images, 0, staged->frozen_stages());
  }
  const auto logits = [&] {
    if (!mode.cached_features) return (*model)(images);
    return staged->forward_stages(features, staged->frozen_stages(), staged->stages().size());
  };
  const auto step = [&] {
    StepTransaction transaction;
    optimizer->zero_grad();
    const Tensor loss = ops::cross_entropy(logits(), labels);
    loss.backward(scaler ? scaler->scale() : Tensor());
    if (scaler) scaler->unscale(parameters);
    optimizer->step();
    if (scaler) scaler->update();
    transaction.commit();
    // On a GPU reading the loss would synchronise; training reads it one step late.
    if (device.is_cpu()) benchmark::DoNotOptimize(loss.item());
  };
  measure(step);
}

void training_step(benchmark::State& state, const std::string& model_name, const TrainMode& mode) {
  with_training_step(state, model_name, mode, [&](const auto& step) {
    step();  // allocates the optimiser's moments and fills the allocator's cache
    synchronize();
    const ImageRate rate(state);
    for (auto _ : state) step();
  });
}

/// Growth of resident memory in training, in MB: relative to the process without model and batch
/// (growth_MB) and to the process with them; and the peak of tensors and scratch memory, by tag.
void training_memory(benchmark::State& state, const std::string& model_name,
                     const TrainMode& mode) {
  constexpr double kMegabyte = 1e6;
  hanok::Allocator& allocator = hanok::allocator_of(device);
  allocator.release_cached();
  forget_resident_peak();
  const double before = resident_bytes("VmRSS");
  with_training_step(state, model_name, mode, [&](const auto& step) {
    const double made = resident_bytes("VmRSS");
    allocator.reset_peak();
    for (auto _ : state) step();
    const double most = resident_bytes("VmHWM");
    state.counters["growth_MB"] = (most - before) / kMegabyte;
    state.counters["over_model_and_batch_MB"] = (most - made) / kMegabyte;
    const hanok::MemoryStatistics statistics = allocator.statistics();
    state.counters["tensors_MB"] = static_cast<double>(statistics.peak) / kMegabyte;
    for (const auto& [tag, bytes] : statistics.peak_by_tag) {
      if (bytes > 0) state.counters[tag + "_MB"] = static_cast<double>(bytes) / kMegabyte;
    }
  });
}

/// ResNet18's cost by batch, image size and threads: milliseconds per image.
void growth(benchmark::State& state) {
  const int threads_before = hanok::num_threads();
  hanok::set_num_threads(static_cast<int>(state.range(2)));
  const auto model = nn::make_model("resnet18", 1000, static_cast<int>(state.range(1)));
  model->eval();
  const Tensor images = random_images(state.range(0), state.range(1));
  {
    const NoGrad no_grad;
    benchmark::DoNotOptimize((*model)(images));
    const ImageRate rate(state);
    for (auto _ : state) benchmark::DoNotOptimize((*model)(images));
  }
  hanok::set_num_threads(threads_before);
  state.counters["ms_per_image"] = 1000 / state.counters["items_per_second"].value;
}

void register_growth(int threads) {
  auto* entry = benchmark::RegisterBenchmark("ResNet18/growth/inference", growth);
  entry->ArgNames({"batch", "size", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const int batch : {1, 2, 4, 8, 16, 32, 64}) entry->Args({batch, kImageSize, threads});
  for (const int size : {64, 96, 128, 160, 192, 256, 288, 320}) entry->Args({16, size, threads});
  for (int fewer = 1; fewer < threads; fewer *= 2) entry->Args({16, kImageSize, fewer});
}

void register_model(const std::string& title, const std::string& model,
                    const std::vector<TrainMode>& modes) {
  const auto add = [&](const std::string& name, const auto& run, const std::vector<int>& batches) {
    auto* entry = benchmark::RegisterBenchmark((title + "/" + name).c_str(), run);
    entry->ArgName("batch")->Unit(benchmark::kMillisecond);
    for (const int batch : small() ? std::vector<int>{2} : batches) entry->Arg(batch);
    if (!device.is_cpu()) {
      entry->UseRealTime();
      if (!small()) entry->Arg(64)->Arg(256);
    }
  };
  add("inference", [=](benchmark::State& state) { inference(state, model); }, {1, 16});
  for (const TrainMode& mode : modes) {
    add("train/" + mode.name, [=](benchmark::State& state) { training_step(state, model, mode); },
        {32});
    if (!device.is_cpu()) continue;
    const auto memory = [=](benchmark::State& state) { training_memory(state, model, mode); };
    benchmark::RegisterBenchmark((title + "/memory/train/" + mode.name).c_str(), memory)
        ->ArgName("batch")
        ->Unit(benchmark::kMillisecond)
        ->Iterations(3)
        ->Arg(32);
  }
}

/// Removes "NAME VALUE" from the arguments; returns `otherwise` if it is missing.
std::string take_option(int& argc, char** argv, const std::string& name,
                        const std::string& otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] != name) continue;
    const std::string value = argv[i + 1];
    std::copy(argv + i + 2, argv + argc, argv + i);
    argc -= 2;
    return value;
  }
  return otherwise;
}

/// Throws ValueError for an invalid device name, DeviceError, saying what is missing, for an
/// unavailable device.
void choose_device(const std::string& name) {
  if (name.rfind("cuda", 0) == 0) {
    device = hanok::Device::cuda(name.size() > 5 ? std::atoi(name.c_str() + 5) : 0);
  } else if (name != "cpu") {
    throw hanok::ValueError("bench_resnet: --device " + name + ": expected cpu, cuda or cuda:N");
  }
  hanok::backend_of(device);
}

int run(int argc, char** argv) {
  choose_device(take_option(argc, argv, "--device", "cpu"));
  const hanok::Precision precision =
      hanok::precision_of(take_option(argc, argv, "--precision", "f32"));
  hanok::check_precision(precision, device);
  const hanok::PrecisionScope scope(precision);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (const char* threads = std::getenv("HANOK_BENCH_THREADS")) {
    hanok::set_num_threads(std::atoi(threads));
  }
  const std::vector<TrainMode> resnet_modes = {{"full", {}},
                                               {"layer4", {"layer4", "fc"}},
                                               {"head", {"fc"}},
                                               {"cached_features", {"fc"}, true}};
  register_model("ResNet18", "resnet18", resnet_modes);
  register_model("ResNet50", "resnet50", resnet_modes);
  register_model("MobileNetV2", "mobilenet_v2", {{"full", {}}, {"head", {"classifier"}}});
  if (device.is_cpu()) register_growth(hanok::num_threads());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const hanok::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
