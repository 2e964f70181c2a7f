#include "hanok/apps/prediction/features.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/cli/signals.h"
#include "hanok/apps/training/samples/batch_source.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

/// Convolutions choose their algorithm as for this batch, whatever the loader's is.
constexpr std::int64_t kNominalImages = 32;
/// Rows of `queries` in one matrix product.
constexpr std::int64_t kBlockRows = 256;

/// While alive, keeps the last input of a network's head.
class HeadInput {
 public:
  explicit HeadInput(LoadedModel& loaded)
      : head_(loaded.model->get_submodule(nn::head_name(loaded.card.model))),
        hook_(head_.register_forward_hook(
            [this](nn::Module&, const Tensor& input, const Tensor&) { input_ = input; })) {}
  ~HeadInput() { head_.remove_forward_hook(hook_); }
  HeadInput(const HeadInput&) = delete;
  HeadInput& operator=(const HeadInput&) = delete;

  /// [N, columns], f32.
  Tensor take() {
    const Tensor rows = ops::cast(ops::flatten(input_, 1), DType::F32);
    input_ = Tensor();
    return rows;
  }

 private:
  nn::Module& head_;
  Tensor input_;
  int hook_;
};

/// Divides every row by its length.
void normalise(Features& features) {
  for (std::int64_t r = 0; r < features.rows; ++r) {
    float* row = features.values.data() + r * features.columns;
    double squares = 0;
    for (std::int64_t c = 0; c < features.columns; ++c) squares += double{row[c]} * row[c];
    if (!std::isfinite(squares)) {
      throw ValueError(
          "the network's features are not numbers (NaN): its weights are not, or too "
          "large; the training that made them has diverged (a lower --lr helps)");
    }
    if (squares == 0) continue;
    const double scale = 1 / std::sqrt(squares);
    for (std::int64_t c = 0; c < features.columns; ++c) {
      row[c] = static_cast<float>(row[c] * scale);
    }
  }
}

/// The nearest rows so far of one query.
class NearestRows {
 public:
  explicit NearestRows(std::size_t most) : most_(most) {}
  /// False if `candidate` is too far to be kept.
  bool takes(const Neighbour& candidate) const {
    return heap_.size() < most_ || (most_ > 0 && nearer(candidate, heap_.front()));
  }
  void add(const Neighbour& candidate) {
    if (heap_.size() == most_) {
      std::pop_heap(heap_.begin(), heap_.end(), nearer);
      heap_.pop_back();
    }
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end(), nearer);
  }
  std::vector<Neighbour> take() {
    std::sort_heap(heap_.begin(), heap_.end(), nearer);
    return std::move(heap_);
  }

 private:
  static bool nearer(const Neighbour& a, const Neighbour& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.row < b.row;
  }
  std::size_t most_;
  std::vector<Neighbour> heap_;  // the farthest at the front
};

}  // namespace

std::optional<Features> compute_features(LoadedModel& model, data::Loader& loader,
                                         const data::Dataset& /*dataset*/,
                                         const std::vector<std::int64_t>& samples,
                                         const EvaluationListeners& listeners) {
  const NoGrad no_grad;
  const NominalBatch nominal_batch(kNominalImages);
  model.model->eval();
  HeadInput head_input(model);
  ImageBatches batches(*model.model, loader, listeners.reporter);
  const auto features_of = [&](const Tensor& images) {
    batches.forward(images);
    return head_input.take();
  };
  Features features;
  std::int64_t parts = 1;
  batches.start_epoch(0, samples);
  data::Batch batch;
  while (next_batch(batches, batch)) {
    if (interrupted()) return {};
    const Tensor rows = forward_in_parts(features_of, batch.images, parts, listeners.reporter);
    const std::vector<float> values = rows.to_vector();
    features.rows += rows.size(0);
    features.columns = rows.size(1);
    features.values.insert(features.values.end(), values.begin(), values.end());
    if (listeners.on_batch) listeners.on_batch(rows.size(0));
  }
  normalise(features);
  return features;
}

std::vector<std::vector<Neighbour>> nearest_rows(
    const Features& queries, const Features& among, std::size_t most,
    const std::function<bool(std::int64_t, std::int64_t)>& excluded) {
  std::vector<std::vector<Neighbour>> nearest(static_cast<std::size_t>(queries.rows));
  if (queries.rows == 0 || among.rows == 0 || most == 0) return nearest;
  if (queries.columns != among.columns) {
    throw ValueError(fmt::format("nearest_rows: rows of {} features among rows of {}",
                                 queries.columns, among.columns));
  }
  const NoGrad no_grad;
  const PrecisionScope precision(Precision::F32);
  const Tensor searched = Tensor::from_vector(among.values, {among.rows, among.columns});
  for (std::int64_t first = 0; first < queries.rows; first += kBlockRows) {
    const std::int64_t rows = std::min(kBlockRows, queries.rows - first);
    const std::vector<float> block(queries.row(first), queries.row(first + rows));
    const Tensor products =  // [rows, among.rows]
        ops::linear(Tensor::from_vector(block, {rows, queries.columns}), searched);
    const float* product = products.data<float>();
    for (std::int64_t query = first; query < first + rows; ++query) {
      NearestRows found(most);
      for (std::int64_t row = 0; row < among.rows; ++row) {
        // Rounding may take the product of equal rows beyond 1.
        const Neighbour candidate{.row = row, .similarity = std::clamp(*product++, -1.0F, 1.0F)};
        if (!found.takes(candidate) || (excluded && excluded(query, row))) continue;
        found.add(candidate);
      }
      nearest[static_cast<std::size_t>(query)] = found.take();
    }
  }
  return nearest;
}

}  // namespace hanok::training
