// Mixing pairs of samples of a batch, with targets mixed alike.
#pragma once

#include <cstdint>

#include "data/loader.h"
#include "data/random.h"

namespace hanok::data {

/// One draw from the beta distribution of both parameters `alpha`. Throws ValueError for alpha
/// outside 0.05..100.
double draw_beta(double alpha, RandomDraws& random);

/// Rows of ones at the labels: f32 [N,classes]. Throws ValueError for a label outside.
Tensor one_hot(const Tensor& labels, std::int64_t classes);

/// mixup (Zhang et al., 2018): x_i = l x_i + (1 - l) x_{i-1}, the first with the last, as
/// torchvision pairs them; l is drawn from Beta(alpha, alpha) for (seed, epoch, step). Writes
/// batch.images and returns the targets, mixed alike: f32 [N,classes].
Tensor mixup(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
             std::int64_t epoch, std::int64_t step);

/// CutMix (Yun et al., 2019): a rectangle of about (1 - l) of the area comes from x_{i-1}; the
/// targets follow the area that it really has.
Tensor cutmix(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
              std::int64_t epoch, std::int64_t step);

}  // namespace hanok::data
