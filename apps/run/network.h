// The network of a run or checkpoint: a known model, perhaps with layers in front of its head.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/data/transforms.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The network `model` with `hidden` layers (units each, ReLU behind them) in front of its head:
/// the head then is a sequence of Linear, ReLU, ..., Linear under the head's name. Throws
/// ValueError as nn::make_model.
std::unique_ptr<nn::Module> make_network(const std::string& model, std::int64_t classes,
                                         std::int64_t image_size,
                                         const std::vector<std::int64_t>& hidden);

/// The preprocessing that the published weights of `model` expect: its normalisation and filter,
/// the shorter side to 256 pixels, the middle 224 x 224. Throws ValueError as nn::model_info.
data::Preprocessing pretrained_preprocessing(const std::string& model);

}  // namespace hanok::training
#pragma GCC visibility pop
