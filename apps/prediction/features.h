// What a network makes of photographs before its last layer, and which photographs are near each
// other there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// One row a sample: the input of the network's last Linear layer, scaled to length 1.
struct Features {
  std::int64_t rows = 0, columns = 0;
  std::vector<float> values{};  // [rows, columns]
  const float* row(std::int64_t i) const { return values.data() + i * columns; }
};

/// Features of `samples` of `dataset`, which `loader` reads. Empty if the user interrupted. Throws
/// ValueError if the network does not end in a Linear layer.
std::optional<Features> compute_features(LoadedModel& model, data::Loader& loader,
                                         const data::Dataset& dataset,
                                         const std::vector<std::int64_t>& samples,
                                         const EvaluationListeners& listeners);

struct Neighbour {
  std::int64_t row = 0;  // of the features searched
  float similarity = 0;  // cosine, in [-1, 1]
};
/// For each row of `queries` the `most` nearest rows of `among`, nearest first, on ties the lower
/// number. `excluded(query, row)` says which are not to be taken; may be empty. Throws ValueError
/// for different columns.
std::vector<std::vector<Neighbour>> nearest_rows(
    const Features& queries, const Features& among, std::size_t most,
    const std::function<bool(std::int64_t, std::int64_t)>& excluded = {});

}  // namespace hanok::training
#pragma GCC visibility pop
