// Near duplicates by what a pretrained network sees: also mirrored, cropped and recoloured copies.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/data_report/near_duplicates.h"
#include "hanok/apps/run/checkpoint.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct FeatureOptions {
  std::string model{};               // a name of the registry
  std::string weights = "imagenet";  // or a bare state_dict file
  float least_similarity = 0.96F;    // cosine of two photographs' features
  std::size_t most_partners = 5;     // pairs kept for a photograph
};

class FeatureNetwork {
 public:
  /// Throws UsageError or IoError if the network or its weights are not there: make it before any
  /// photograph is decoded.
  explicit FeatureNetwork(const FeatureOptions& options);
  /// Pairs whose features are that similar, first < second; `bits` and `correlation` hold the
  /// hash's distance and the similarity. Takes a product of every two photographs. Empty, too, if
  /// the user interrupted.
  std::vector<NearPair> near_pairs(const data::Dataset& dataset,
                                   const std::vector<ImageFacts>& facts,
                                   training::Reporter& reporter);
  /// "So are two whose features of mobilenet_v2 have a cosine of 0.96 or more."
  std::string describe() const;

 private:
  FeatureOptions options_;
  training::LoadedModel model_;
};

}  // namespace hanok::data_report
#pragma GCC visibility pop
