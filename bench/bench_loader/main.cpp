// The loader on synthetic 384x512 photographs (JPEG): decode, resize to 224x224, augment,
// normalise; alone, and during the training step that it feeds.
//
//   bench_loader --benchmark_filter='Loader/light'
//
// HANOK_BENCH_PHOTOS=DIR keeps the photographs in DIR (drawn there in the first run), so that other
// systems can read the same files. Decoded images are not cached: every epoch reads the files.
// items_per_second uses wall time.
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <unistd.h>
#include <vector>

#include "hanok/data/loader.h"
#include "hanok/data/synthetic.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/transaction.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/optim.h"

namespace {

using hanok::Tensor;
namespace data = hanok::data;
namespace nn = hanok::nn;
namespace ops = hanok::ops;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kBatch = 32;
constexpr int kPeople = 28;  // with 7 photographs each

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The folder of photographs: the user's, or a temporary one that is removed at the end.
class Photographs {
 public:
  Photographs() {
    if (const char* kept = std::getenv("HANOK_BENCH_PHOTOS")) {
      root_ = kept;
    } else {
      root_ = (std::filesystem::temp_directory_path() /
               ("hanok-bench-photographs-" + std::to_string(getpid())))
                  .string();
      temporary_ = true;
    }
    if (!std::filesystem::exists(root_ + "/train/train.csv")) {
      data::SyntheticOptions options;
      options.people = kPeople;
      options.width = 384;
      options.height = 512;
      data::write_synthetic_competition(root_, options);
    }
    dataset_ = data::load_competition(root_);
    std::erase_if(dataset_.samples, [](const data::Sample& sample) {  // some are PNG
      return !sample.path.ends_with(".jpg");
    });
  }
  ~Photographs() {
    std::error_code ignored;  // a folder left in the system's temporary folder is harmless
    if (temporary_) std::filesystem::remove_all(root_, ignored);
  }
  Photographs(const Photographs&) = delete;
  Photographs& operator=(const Photographs&) = delete;

  const data::Dataset& dataset() const { return dataset_; }

 private:
  std::string root_;
  bool temporary_ = false;
  data::Dataset dataset_;
};

/// An endless sequence of full batches, epoch after epoch.
class Batches {
 public:
  Batches(const data::Dataset& dataset, const std::string& augmentation, int workers)
      : order_(dataset.samples.size()), loader_(dataset, options(augmentation, workers)) {
    std::iota(order_.begin(), order_.end(), 0);
    loader_.start_epoch(epoch_, order_);
  }

  const data::Batch& next() {
    while (!loader_.next(batch_)) loader_.start_epoch(++epoch_, order_);
    return batch_;
  }

 private:
  static data::LoaderOptions options(const std::string& augmentation, int workers) {
    data::LoaderOptions options;
    options.augmentation = data::named_augmentation(augmentation);
    options.batch_size = kBatch;
    options.workers = workers;
    options.cache.budget = 0;
    options.drop_last = true;
    return options;
  }

  std::vector<std::int64_t> order_;
  data::Loader loader_;
  std::int64_t epoch_ = 0;
  data::Batch batch_;
};

void loading(benchmark::State& state, const Photographs& photographs,
             const std::string& augmentation) {
  Batches batches(photographs.dataset(), augmentation, static_cast<int>(state.range(0)));
  for (int i = 0; i < 6; ++i) batches.next();  // discards prefetched batches
  const Clock::time_point start = Clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(batches.next());
  state.counters["items_per_second"] =
      static_cast<double>(state.iterations() * kBatch) / seconds_since(start);
}

/// ResNet18's full training step, alternately on a resident batch and on the loader's batches;
/// `ratio` is the total time with the loader divided by that without.
void step_with_loader(benchmark::State& state, const Photographs& photographs) {
  Batches batches(photographs.dataset(), "light", 2);
  const auto model = nn::make_model("resnet18", 18, 224);
  const auto optimizer = nn::make_adamw({{"all", model->parameters()}}, {});
  const data::Batch& first = batches.next();
  const Tensor resident_images = first.images.clone();
  const Tensor resident_labels = first.labels.clone();
  const auto step = [&](const Tensor& images, const Tensor& labels) {
    hanok::StepTransaction transaction;
    optimizer->zero_grad();
    const Tensor loss = ops::cross_entropy((*model)(images), labels);
    loss.backward();
    optimizer->step();
    transaction.commit();
    benchmark::DoNotOptimize(loss.item());
  };
  step(resident_images, resident_labels);
  double resident = 0;
  double loaded = 0;
  for (auto _ : state) {
    // While the resident batch is trained on, the workers only refill their queue and then idle, so
    // each side runs several steps.
    constexpr int kSteps = 8;
    for (int i = 0; i < kSteps;
         ++i) {  // consumes the prefetched batches, then runs at the loader's pace
      const Clock::time_point start = Clock::now();
      const data::Batch& batch = batches.next();
      step(batch.images, batch.labels);
      if (i >= kSteps / 2) loaded += seconds_since(start);
    }
    for (int i = 0; i < kSteps; ++i) {  // the workers refill the queue, then idle
      const Clock::time_point start = Clock::now();
      step(resident_images, resident_labels);
      if (i >= kSteps / 2) resident += seconds_since(start);
    }
  }
  state.counters["ratio"] = loaded / resident;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const Photographs photographs;
  for (const std::string augmentation : {"none", "light", "strong"}) {
    benchmark::RegisterBenchmark(
        ("Loader/" + augmentation).c_str(),
        [&, augmentation](benchmark::State& state) { loading(state, photographs, augmentation); })
        ->ArgName("workers")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark(
      "ResNet18/train/full/with_loader",
      [&](benchmark::State& state) { step_with_loader(state, photographs); })
      ->Iterations(1)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
