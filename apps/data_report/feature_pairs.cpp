#include "hanok/apps/data_report/feature_pairs.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/prediction/features.h"
#include "hanok/apps/run/network.h"
#include "hanok/nn/models/registry.h"
#include "hanok/nn/module.h"
#include "hanok/weights/weights.h"

namespace hanok::data_report {
namespace {

std::string weight_file(const FeatureOptions& options) {
  return options.weights == "imagenet" ? weights::find_pretrained(options.model) : options.weights;
}

/// The network below its head, which weight files may lack. It sees whole photographs, squeezed to
/// a square.
training::LoadedModel load_network(const FeatureOptions& options) {
  const std::vector<std::string> names = nn::model_names();
  if (std::find(names.begin(), names.end(), options.model) == names.end()) {
    throw training::UsageError(fmt::format("--features: no network is called '{}'; there are {}",
                                           options.model, fmt::join(names, ", ")));
  }
  const nn::WithoutInit without_init;
  training::LoadedModel loaded{
      .card = {.model = options.model, .class_names = {"0", "1"}, .preprocessing = {}},
      .model = nullptr,
      .metadata = {}};
  loaded.model = training::make_network(options.model, 2, loaded.card.preprocessing.image_size, {});
  training::start_from(*loaded.model, options.model, {.path = weight_file(options), .renames = {}});
  return loaded;
}

/// Readable photographs, one of each content.
std::vector<std::int64_t> samples_to_compare(const std::vector<ImageFacts>& facts) {
  std::set<std::uint64_t> contents;
  std::vector<std::int64_t> samples;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].problem.empty() && contents.insert(facts[i].content_hash).second) {
      samples.push_back(static_cast<std::int64_t>(i));
    }
  }
  return samples;
}

}  // namespace

FeatureNetwork::FeatureNetwork(const FeatureOptions& options)
    : options_(options), model_(load_network(options)) {}

std::string FeatureNetwork::describe() const {
  return fmt::format("So are two whose features of {} have a cosine of {:.2f} or more.",
                     options_.model, static_cast<double>(options_.least_similarity));
}

std::vector<NearPair> FeatureNetwork::near_pairs(const data::Dataset& dataset,
                                                 const std::vector<ImageFacts>& facts,
                                                 training::Reporter& reporter) {
  const std::vector<std::int64_t> samples = samples_to_compare(facts);
  if (samples.size() < 2) return {};
  data::Loader loader(dataset, {.preprocessing = model_.card.preprocessing});
  std::optional<training::Features> features;
  {
    training::Progress progress(
        reporter, {.label = "features", .total = static_cast<std::int64_t>(samples.size())});
    features = training::compute_features(
        model_, loader, dataset, samples,
        {.reporter = reporter,
         .on_batch = [&progress](std::int64_t images) { progress.advance(images); }});
  }
  if (!features) return {};
  const auto itself = [](std::int64_t query, std::int64_t row) { return query == row; };
  std::map<std::pair<std::size_t, std::size_t>, NearPair> pairs;  // each is found from both ends
  const auto nearest = training::nearest_rows(*features, *features, options_.most_partners, itself);
  for (std::size_t query = 0; query < nearest.size(); ++query) {
    for (const training::Neighbour& neighbour : nearest[query]) {
      if (neighbour.similarity < options_.least_similarity) break;
      const auto a = static_cast<std::size_t>(samples[query]);
      const auto b = static_cast<std::size_t>(samples[static_cast<std::size_t>(neighbour.row)]);
      const std::size_t first = std::min(a, b);
      const std::size_t second = std::max(a, b);
      pairs[{first, second}] = {
          .first = first,
          .second = second,
          .bits = std::popcount(facts[a].perceptual_hash ^ facts[b].perceptual_hash),
          .correlation = neighbour.similarity};
    }
  }
  std::vector<NearPair> found;
  for (const auto& [numbers, pair] : pairs) found.push_back(pair);
  return found;
}

}  // namespace hanok::data_report
