// Near duplicates by what a pretrained network sees: also mirrored, cropped and recoloured copies.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/data_report/near_duplicates.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct FeatureOptions {
  std::string model{};               // a name of the registry
  std::string weights = "imagenet";  // or a bare state_dict file
  float least_similarity = 0.96F;    // cosine of two photographs' features
  std::size_t most_partners = 5;     // pairs kept for a photograph
};

/// Pairs whose features are that similar, first < second; `bits` and `correlation` hold the hash's
/// distance and the similarity. Takes a product of every two photographs. Empty if the user
/// interrupted. Throws what loading the weights throws.
std::vector<NearPair> near_by_features(const data::Dataset& dataset,
                                       const std::vector<ImageFacts>& facts,
                                       const FeatureOptions& options, training::Reporter& reporter);

/// "So are two whose features of mobilenet_v2 have a cosine of 0.96 or more."
std::string describe(const FeatureOptions& options);

/// Throws UsageError or IoError if the network or its weights are not there: before any photograph
/// is decoded.
void check_features(const FeatureOptions& options);

}  // namespace hanok::data_report
#pragma GCC visibility pop
