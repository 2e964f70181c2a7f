// The networks and photographs that are measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/run/checkpoint.h"
#include "hanok/data/dataset.h"
#include "hanok/data/loader.h"

namespace hanok::bench {

struct NetworkOptions {
  std::string model{};
  /// imagenet, none (random), or a file: a checkpoint of finetune or a bare state_dict.
  std::string weights = "imagenet";
  std::string data{};  // folder of photographs, as finetune takes it
  std::int64_t image_size = 224;
  std::int64_t batch_size = 8;
};

/// The network as training starts from it: its head is the file's where that has as many outputs as
/// the data have classes, else a new one.
training::LoadedModel network_to_train(const NetworkOptions& options, std::int64_t classes);

/// The network as the file has it.
training::LoadedModel network_to_evaluate(const NetworkOptions& options);

/// `count` samples spread evenly over the data set; 0: all.
std::vector<std::int64_t> spread(const data::Dataset& dataset, std::int64_t count);

/// Reads photographs as the network expects them, without augmentation.
data::LoaderOptions plain_loader(const training::ModelCard& card, const NetworkOptions& options);

}  // namespace hanok::bench
