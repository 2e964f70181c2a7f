// What a network makes of photographs before its head, and which photographs are near each other
// there.
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

/// One row a sample: the input of the network's head (nn::head_name), scaled to length 1; a row of
/// zeros stays so. A head with hidden layers (--hidden) counts as a whole: its layers were made for
/// the labels alone, and would bring photographs together because their labels say so.
struct Features {
  std::int64_t rows = 0, columns = 0;
  std::vector<float> values{};  // [rows, columns]
  const float* row(std::int64_t i) const { return values.data() + i * columns; }
};

/// Features of `samples` of `dataset`, which `loader` reads, in evaluation mode on the model's
/// device. A photograph's row has the same bits for any batch size and number of threads. Empty if
/// the user interrupted; `listeners.profile` is not used. Throws ValueError for features that are
/// not numbers.
std::optional<Features> compute_features(LoadedModel& model, data::Loader& loader,
                                         const data::Dataset& dataset,
                                         const std::vector<std::int64_t>& samples,
                                         const EvaluationListeners& listeners);

struct Neighbour {
  std::int64_t row = 0;  // of the features searched
  float similarity = 0;  // cosine, in [-1, 1]
};
/// For each row of `queries` the `most` nearest rows of `among`, nearest first, on ties the lower
/// number; fewer where there are not as many. `excluded(query, row)` says which are not to be
/// taken; may be empty. Takes `queries.rows` x `among.rows` x `columns` products, but memory for
/// 256 rows of similarities only. Throws ValueError for different columns.
std::vector<std::vector<Neighbour>> nearest_rows(
    const Features& queries, const Features& among, std::size_t most,
    const std::function<bool(std::int64_t, std::int64_t)>& excluded = {});

}  // namespace hanok::training
#pragma GCC visibility pop
