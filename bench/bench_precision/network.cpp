#include "bench/bench_precision/network.h"

#include <numeric>
#include <utility>

#include "hanok/apps/run/network.h"
#include "hanok/engine/generator.h"
#include "hanok/weights/weights.h"

namespace hanok::bench {
namespace {

std::string file_of(const NetworkOptions& options) {
  if (options.weights == "none") return "";
  return options.weights == "imagenet" ? weights::find_pretrained(options.model) : options.weights;
}

data::Preprocessing preprocessing_of(const NetworkOptions& options) {
  data::Preprocessing preprocessing = training::pretrained_preprocessing(options.model);
  if (options.image_size == preprocessing.image_size) return preprocessing;
  preprocessing.resize = 0;
  preprocessing.image_size = static_cast<int>(options.image_size);
  return preprocessing;
}

}  // namespace

training::LoadedModel network_to_train(const NetworkOptions& options, std::int64_t classes) {
  Generator::global().set_seed(0);
  training::LoadedModel loaded;
  loaded.card.model = options.model;
  loaded.card.preprocessing = preprocessing_of(options);
  loaded.model = training::make_network(options.model, classes, options.image_size, {});
  if (const std::string file = file_of(options); !file.empty()) {
    training::StartReport report =
        training::start_from(*loaded.model, options.model, {.path = file});
    loaded.notes = std::move(report.notes);
    if (report.head_kept) loaded.notes.emplace_back("its head is new");
  }
  return loaded;
}

training::LoadedModel network_to_evaluate(const NetworkOptions& options) {
  const std::string file = file_of(options);
  if (weights::load(file).metadata.contains("hanok.preprocessing")) {
    return training::load_model(file);
  }
  training::LoadedModel loaded = training::load_bare_model(options.model, file);
  loaded.card.preprocessing = preprocessing_of(options);
  return loaded;
}

std::vector<std::int64_t> spread(const data::Dataset& dataset, std::int64_t count) {
  const auto all = static_cast<std::int64_t>(dataset.samples.size());
  if (count <= 0 || count > all) count = all;
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < count; ++i) order.push_back(i * all / count);
  return order;
}

data::LoaderOptions plain_loader(const training::ModelCard& card, const NetworkOptions& options) {
  return {.preprocessing = card.preprocessing, .batch_size = options.batch_size};
}

}  // namespace hanok::bench
