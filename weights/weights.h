// Weight files: safetensors both ways, PyTorch's .pth for reading. No code from a file is ever run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/state_dict.h"

namespace hanok::weights {

struct WeightFile {
  nn::StateDict tensors;  // in the file's order; rank-4 tensors are in hanok's memory order
  std::map<std::string, std::string> metadata;  // safetensors' __metadata__
  std::string format;                           // "safetensors" or "pth-zip"
};

/// Reads a file, judged by its content. Throws IoError or FormatError (file name first; a refused
/// pickle global is named).
WeightFile load(const std::string& path);

/// Writes to a temporary name, syncs, renames. Rank-4 tensors are written in their logical order,
/// as every other reader expects.
void save_safetensors(const std::string& path, const nn::StateDict& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace hanok::weights
