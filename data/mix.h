// Mixing pairs of samples of a batch, with targets mixed alike.
#pragma once

#include <cstdint>

#include "hanok/data/augment.h"
#include "hanok/data/loader.h"
#include "hanok/data/random.h"

namespace hanok::data {

/// One draw from the beta distribution of both parameters `alpha`. Throws ValueError for alpha
/// outside 0.05..100.
double draw_beta(double alpha, RandomDraws& random);

/// Rows of ones at the labels: f32 [N,classes]. Throws ValueError for a label outside.
Tensor one_hot(const Tensor& labels, std::int64_t classes);

/// mixup (Zhang et al., 2018): x_i = own x_i + (1 - own) x_{i-1}, the first with the last, as
/// torchvision pairs them. Changes batch.images, where they lie, and returns the targets, mixed
/// alike: f32 [N,classes] on the CPU, where the labels are. Nobody waits for a GPU.
Tensor mixup_by(Batch& batch, std::int64_t classes, float own);
/// CutMix (Yun et al., 2019): the rectangle comes from x_{i-1}, and so does its share of the
/// targets. It lies within the images.
Tensor cutmix_by(Batch& batch, std::int64_t classes, const Rectangle& part);

/// mixup_by with `own` drawn from Beta(alpha, alpha) for (seed, epoch, step).
Tensor mixup(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
             std::int64_t epoch, std::int64_t step);

/// cutmix_by with a rectangle of the share 1 - l of the area, l from Beta(alpha, alpha), around any
/// pixel; what would lie outside is cut off.
Tensor cutmix(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
              std::int64_t epoch, std::int64_t step);

}  // namespace hanok::data
