// Mixes pairs of samples of a batch and their targets.
#pragma once

#include <cstdint>

#include "hanok/data/augment.h"
#include "hanok/data/loader.h"
#include "hanok/data/random.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// A draw from Beta(alpha, alpha). Throws ValueError for alpha outside 0.05..100.
double draw_beta(double alpha, RandomDraws& random);

/// One-hot targets: f32 [N,classes]. Throws ValueError for a label out of range.
Tensor one_hot(const Tensor& labels, std::int64_t classes);

/// mixup (Zhang et al., 2018): x_i = own x_i + (1 - own) x_{i-1}, the first with the last, as
/// torchvision pairs them. Changes batch.images in place and returns the targets, mixed the same
/// way: f32 [N,classes] on the CPU, like the labels. On a GPU it does not synchronise.
Tensor mixup_by(Batch& batch, std::int64_t classes, float own);
/// CutMix (Yun et al., 2019): replaces the rectangle `part` by that of x_{i-1} and mixes the
/// targets by its share of the area. The rectangle must be inside the images.
Tensor cutmix_by(Batch& batch, std::int64_t classes, const Rectangle& part);

/// mixup_by with `own` drawn from Beta(alpha, alpha) for (seed, epoch, step).
Tensor mixup(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
             std::int64_t epoch, std::int64_t step);

/// cutmix_by with a rectangle of the area's share 1 - l, l from Beta(alpha, alpha), centred at a
/// random pixel and clipped at the edges.
Tensor cutmix(Batch& batch, std::int64_t classes, double alpha, std::uint64_t seed,
              std::int64_t epoch, std::int64_t step);

}  // namespace hanok::data
#pragma GCC visibility pop
