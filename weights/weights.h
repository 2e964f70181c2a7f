// Weight files: reads and writes safetensors, reads PyTorch's .pth. Code in a file is never run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hanok/nn/state_dict.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

struct WeightFile {
  nn::StateDict tensors;  // in the file's order; rank-4 tensors are in hanok's memory order
  std::map<std::string, std::string> metadata;  // safetensors' __metadata__
  std::string format;              // "safetensors", "pth-zip", "pth-legacy" or "pth-tar"
  std::vector<std::string> notes;  // what was ignored or renamed, one line each
  /// Entries of the state_dict that hanok has no tensor for, and what they are: "a sparse tensor".
  std::map<std::string, std::string> unsupported;
  /// Objects of Python that are no data, never run: where they are and of which type, one line
  /// each.
  std::vector<std::string> objects;
};

/// FROM=TO: a name that is FROM, or starts with FROM and a dot, has TO there instead. An empty FROM
/// puts TO in front of all names; an empty TO removes FROM. A dot at the end of either is ignored.
struct Rename {
  std::string from, to;
};
/// Reads "FROM=TO". Throws ValueError without an equals sign, or where both sides are empty.
Rename parse_rename(const std::string& text);

/// Applies the renames in their order. Throws ValueError for one that no name starts with, or that
/// gives two tensors the same name.
void rename_tensors(nn::StateDict& tensors, const std::vector<Rename>& renames);

/// Reads a file, detecting the format by content. Tensors keep the file's element types; if a
/// tensor's bytes are already in hanok's memory order, it borrows the mapped file (read-only). From
/// a checkpoint the state_dict inside is taken, and a prefix "module." shared by all names is
/// removed; notes say so. A rename whose FROM starts with the key of a state_dict that would be
/// left out takes that one instead. Throws IoError or FormatError (file name first; a rejected
/// pickle global is named), or ValueError as rename_tensors().
WeightFile load(const std::string& path, const std::vector<Rename>& renames = {});

/// Whether a file's metadata hold the sum of all its bytes (file_checksum.h).
enum class Checksum { No, Yes };

/// Writes the file atomically (temporary name, sync, rename). Rank-4 tensors are written in logical
/// order, as other readers expect. With a checksum, or where the metadata hold one already, they
/// get that of the whole file, which verify_checksum() (file_checksum.h) reads. Throws IoError
/// (file name first), or ValueError for a name or metadata that is not UTF-8.
void save_safetensors(const std::string& path, const nn::StateDict& tensors,
                      const std::map<std::string, std::string>& metadata = {},
                      Checksum checksum = Checksum::No);

/// The same tensors with f16, bf16 and f64 values converted to f32, the models' type; counters of
/// batch norm (num_batches_tracked) of any type as i64 scalars; other types unchanged.
nn::StateDict with_f32_values(const nn::StateDict& tensors);

/// The file of a model's ImageNet weights ("resnet18") in the cache ($HANOK_HOME, else hanok's
/// folder in the user's cache). Throws ValueError if the file is missing, with one line on how to
/// get it, or if the model has none.
std::string find_pretrained(const std::string& model);

}  // namespace hanok::weights
#pragma GCC visibility pop
