#include "hanok/apps/experiment/demo.h"

#include "hanok/data/synthetic.h"

namespace hanok::training {

void apply_demo_preset(Options& options) {
  options.weights.source = StartWeights::Source::Random;
  options.image_size = 64;
  options.fold = 0;
  options.baselines = true;
}

std::string draw_demo_data(const std::string& root, std::int64_t people, std::uint64_t seed) {
  data::SyntheticOptions synthetic;
  synthetic.people = static_cast<int>(people);
  synthetic.seed = seed;
  data::write_synthetic_competition(root, synthetic);
  return root;
}

}  // namespace hanok::training
