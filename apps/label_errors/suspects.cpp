#include "hanok/apps/label_errors/suspects.h"

#include <algorithm>
#include <cmath>

namespace hanok::label_errors {
namespace {

/// Weight of the neighbours' labels against the networks' probabilities.
constexpr float kNeighbourWeight = 0.3F;

std::vector<double> scores_of(const RunPredictions& predictions, const Neighbourhood& neighbours,
                              Ranking ranking) {
  if (ranking == Ranking::SelfConfidence) return self_confidence(predictions.mean);
  if (ranking == Ranking::Margin) return normalised_margin(predictions.mean);
  if (neighbours.empty()) return self_confidence(predictions.mean);
  OutOfFold both = predictions.mean;
  const std::vector<float> shares = neighbour_shares(predictions, neighbours);
  const auto classes = static_cast<std::size_t>(both.classes);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (neighbours[i / classes].empty()) continue;
    both.probabilities[i] =
        (1 - kNeighbourWeight) * both.probabilities[i] + kNeighbourWeight * shares[i];
  }
  return self_confidence(both);
}

/// The class counted by the confident joint if it is another one, else the most probable other.
std::int64_t suggestion_for(const RunPredictions& predictions, const ConfidentJoint& joint,
                            std::int64_t image) {
  const std::int64_t label = predictions.mean.labels[static_cast<std::size_t>(image)];
  const std::int64_t counted = joint.suggestion[static_cast<std::size_t>(image)];
  if (counted >= 0 && counted != label) return counted;
  std::int64_t best = label == 0 ? 1 : 0;
  for (std::int64_t k = 0; k < predictions.mean.classes; ++k) {
    if (k != label &&
        predictions.mean.probability(image, k) > predictions.mean.probability(image, best)) {
      best = k;
    }
  }
  return best;
}

double agreement_on(const RunPredictions& predictions, std::int64_t image, std::int64_t answer) {
  double votes = 0, agreeing = 0;
  for (const std::vector<std::int64_t>& voter : predictions.votes) {
    const std::int64_t vote = voter[static_cast<std::size_t>(image)];
    votes += vote >= 0 ? 1 : 0;
    agreeing += vote == answer ? 1 : 0;
  }
  return votes == 0 ? 0 : agreeing / votes;
}

}  // namespace

std::vector<float> neighbour_shares(const RunPredictions& predictions,
                                    const Neighbourhood& neighbours) {
  const auto classes = static_cast<std::size_t>(predictions.mean.classes);
  std::vector<float> shares(predictions.mean.labels.size() * classes, 0.0F);
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    double total = 0;
    std::vector<double> sums(classes, 0.0);
    for (const NearImage& near : neighbours[i]) {
      const double weight = std::pow(std::max(0.0, double{near.similarity}), 4);
      const std::int64_t label = predictions.mean.labels[static_cast<std::size_t>(near.image)];
      sums[static_cast<std::size_t>(label)] += weight;
      total += weight;
    }
    for (std::size_t k = 0; k < classes; ++k) {
      shares[i * classes + k] =
          static_cast<float>(total > 0 ? sums[k] / total : 1.0 / static_cast<double>(classes));
    }
  }
  return shares;
}

std::vector<Suspect> rank_suspects(const RunPredictions& predictions, const ConfidentJoint& joint,
                                   const Neighbourhood& neighbours, Ranking ranking) {
  const std::vector<double> scores = scores_of(predictions, neighbours, ranking);
  std::vector<bool> counted(scores.size(), false);
  for (const std::int64_t i : joint.off_diagonal) counted[static_cast<std::size_t>(i)] = true;
  std::vector<Suspect> suspects;
  for (const std::int64_t image : ranked(scores)) {
    const auto i = static_cast<std::size_t>(image);
    Suspect suspect{.image = image,
                    .label = predictions.mean.labels[i],
                    .suggestion = suggestion_for(predictions, joint, image),
                    .score = scores[i],
                    .counted = counted[i]};
    suspect.label_probability = predictions.mean.probability(image, suspect.label);
    suspect.suggestion_probability = predictions.mean.probability(image, suspect.suggestion);
    suspect.agreement = agreement_on(predictions, image, suspect.suggestion);
    if (!neighbours.empty()) suspect.neighbours = neighbours[i];
    suspects.push_back(std::move(suspect));
  }
  return suspects;
}

}  // namespace hanok::label_errors
