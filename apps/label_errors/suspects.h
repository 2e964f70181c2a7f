// Suspected label errors, ranked.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/apps/label_errors/out_of_fold.h"

#pragma GCC visibility push(default)
namespace hanok::label_errors {

/// An image that is near another one, by features.
struct NearImage {
  std::int64_t image = 0;
  float similarity = 0;  // cosine
};
/// The nearest images of each image, of other groups, nearest first; empty: unknown.
using Neighbourhood = std::vector<std::vector<NearImage>>;

/// By what images are ranked.
enum class Ranking {
  SelfConfidence,  // the mean probability of the label
  Margin,          // the normalised margin of the mean probabilities
  Combined,        // the probability of the label, by networks and neighbours' labels together
};

struct Suspect {
  std::int64_t image = 0;
  std::int64_t label = 0, suggestion = 0;                    // the suggestion is another class
  double score = 0;                                          // low: suspect
  double label_probability = 0, suggestion_probability = 0;  // means of the networks'
  double agreement = 0;  // share of runs and repeats whose answer is the suggestion
  bool counted = false;  // off the diagonal of the confident joint
  std::vector<NearImage> neighbours{};
};

/// All images, the most suspect first. `neighbours` may be empty, then Combined is SelfConfidence.
std::vector<Suspect> rank_suspects(const RunPredictions& predictions, const ConfidentJoint& joint,
                                   const Neighbourhood& neighbours, Ranking ranking);

/// Shares of classes among an image's neighbours, each weighted by its similarity to the fourth
/// power: [images, classes], rows add up to 1; rows without neighbours are 1/classes.
std::vector<float> neighbour_shares(const RunPredictions& predictions,
                                    const Neighbourhood& neighbours);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
