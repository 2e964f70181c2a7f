// Weight files: safetensors both ways, PyTorch's .pth for reading. No code from a file is ever run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hanok/nn/state_dict.h"

namespace hanok::weights {

struct WeightFile {
  nn::StateDict tensors;  // in the file's order; rank-4 tensors are in hanok's memory order
  std::map<std::string, std::string> metadata;  // safetensors' __metadata__
  std::string format;              // "safetensors", "pth-zip", "pth-legacy" or "pth-tar"
  std::vector<std::string> notes;  // what was left out or renamed, one line each
};

/// Reads a file, judged by its content. Tensors keep the file's element types; where their bytes
/// lie in the file as hanok needs them, they borrow the mapped file (read-only). Of a checkpoint
/// the state_dict inside is taken, and a prefix "module." that all names share is removed; notes
/// say so. Throws IoError or FormatError (file name first; a refused pickle global is named).
WeightFile load(const std::string& path);

/// Writes to a temporary name, syncs, renames. Rank-4 tensors are written in their logical order,
/// as every other reader expects. Throws IoError (file name first), or ValueError for a name or
/// metadata that is not UTF-8.
void save_safetensors(const std::string& path, const nn::StateDict& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// The same tensors with f16, bf16 and f64 values as f32, which is what models hold; others as
/// they are.
nn::StateDict with_f32_values(const nn::StateDict& tensors);

/// The file of a model's ImageNet weights ("resnet18") in the cache ($HANOK_HOME, else hanok's
/// folder in the user's cache). Throws ValueError, in one line that says how to get it, if the file
/// is not there or the model has none.
std::string find_pretrained(const std::string& model);

}  // namespace hanok::weights
