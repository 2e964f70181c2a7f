// Finds the state_dict in the Python objects of a .pth file, makes its tensors and names them.
#include <array>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"
#include "hanok/weights/tensor_window.h"

namespace hanok::weights {
namespace {

using TensorPointer = std::shared_ptr<const TensorRef>;

/// Keys under which training scripts store the model's state_dict in a checkpoint, in order of
/// preference.
constexpr std::array<std::string_view, 7> kStateDictKeys{
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights"};
constexpr int kDeepestNesting = 8;

/// Prefixes added to every name by DataParallel and torch.compile.
constexpr std::array<std::string_view, 2> kWrapperPrefixes{"module.", "_orig_mod."};

/// A strided tensor can repeat its storage's elements, so a small file could request any amount of
/// memory. Legitimate files share a storage between two or three tensors.
constexpr std::uint64_t kMostBytesPerFileByte = 16;
constexpr std::uint64_t kAlwaysAllowedBytes = 1 << 20;

bool holds_tensors(const pickle::Dict& dict) {
  for (const auto& [key, value] : dict.items) {
    if (key->as<std::string>() != nullptr && value->as<TensorPointer>() != nullptr) return true;
  }
  return false;
}

const pickle::Dict* find_item(const pickle::Dict& dict, std::string_view name) {
  for (const auto& [key, value] : dict.items) {
    const auto* text = key->as<std::string>();
    if (text != nullptr && *text == name) return value->as<pickle::Dict>();
  }
  return nullptr;
}

/// The dictionary of tensors at or below `dict`; null if there is none. Dictionaries may form
/// cycles: those in `seen` are not visited again.
const pickle::Dict* find_state_dict(const pickle::Dict& dict, int depth,
                                    std::unordered_set<const pickle::Dict*>& seen,
                                    std::string& path) {
  if (depth > kDeepestNesting || !seen.insert(&dict).second) return nullptr;
  for (const std::string_view name : kStateDictKeys) {
    const pickle::Dict* inner = find_item(dict, name);
    if (inner == nullptr) continue;
    std::string inner_path = path + "[" + std::string(name) + "]";
    if (const pickle::Dict* found = find_state_dict(*inner, depth + 1, seen, inner_path)) {
      path = std::move(inner_path);
      return found;
    }
  }
  return holds_tensors(dict) ? &dict : nullptr;
}

std::string describe_keys(const pickle::Dict& dict) {
  constexpr std::size_t kMostKeys = 12;
  std::vector<std::string> names;
  for (const auto& [key, value] : dict.items) {
    if (names.size() == kMostKeys) {
      names.emplace_back("...");
      break;
    }
    const auto* text = key->as<std::string>();
    names.push_back(text != nullptr ? in_quotes(*text) : "(not text)");
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

class TensorMaker {
 public:
  TensorMaker(const std::shared_ptr<const MappedFile>& file, const StorageBytes& storage_bytes)
      : file_(file),
        storage_bytes_(storage_bytes),
        bytes_left_(kMostBytesPerFileByte * file->bytes().size() + kAlwaysAllowedBytes) {}

  Tensor make(const std::string& name, const TensorRef& reference) {
    const StorageRef& storage = *reference.storage;
    const std::string where = fmt::format("{}: tensor {}", file_->path(), in_quotes(name));
    if (!storage.dtype) {
      throw FormatError(fmt::format("{}: unsupported element type {}", where, storage.type));
    }
    checked_row_major(where, reference.sizes);
    count_bytes(where, reference, storage.element_size);
    Bytes bytes = storage_bytes_(storage);
    bytes = bytes.subspan(static_cast<std::size_t>(storage.view_offset) * storage.element_size,
                          static_cast<std::size_t>(storage.view_numel) * storage.element_size);
    return to_tensor({bytes, reference.offset, reference.sizes, reference.strides, *storage.dtype},
                     where, file_);
  }

 private:
  void count_bytes(const std::string& where, const TensorRef& reference, std::size_t element) {
    std::uint64_t bytes = element;
    for (const std::int64_t size : reference.sizes) bytes *= static_cast<std::uint64_t>(size);
    if (bytes > bytes_left_) {
      throw FormatError(
          fmt::format("{}: the tensors up to this one need more than {} times the file's {} bytes",
                      where, kMostBytesPerFileByte, file_->bytes().size()));
    }
    bytes_left_ -= bytes;
  }

  const std::shared_ptr<const MappedFile>& file_;
  const StorageBytes& storage_bytes_;
  std::uint64_t bytes_left_;
};

void remove_wrapper_prefixes(WeightFile& file) {
  bool again = true;
  while (again && !file.tensors.empty()) {
    again = false;
    for (const std::string_view prefix : kWrapperPrefixes) {
      bool all = true;
      for (const auto& [name, tensor] : file.tensors) {
        all = all && name.size() > prefix.size() && name.substr(0, prefix.size()) == prefix;
      }
      if (!all) continue;
      const int count = file.tensors.rename_prefix(std::string(prefix), "");
      file.notes.push_back(fmt::format("the prefix '{}' was removed from {} names", prefix, count));
      again = true;
    }
  }
}

}  // namespace

void collect_state_dict(const pickle::Value& root, const std::shared_ptr<const MappedFile>& file,
                        const StorageBytes& storage_bytes, WeightFile& result) {
  const auto* dict = root.as<pickle::Dict>();
  if (dict == nullptr) {
    throw FormatError(file->path() +
                      ": contains no state_dict: its pickle is not a dictionary of tensors");
  }
  std::string where_found;
  std::unordered_set<const pickle::Dict*> seen;
  const pickle::Dict* state_dict = find_state_dict(*dict, 0, seen, where_found);
  if (state_dict == nullptr) {
    throw FormatError(fmt::format("{}: contains no state_dict: no named tensors under its keys: {}",
                                  file->path(), describe_keys(*dict)));
  }
  if (!where_found.empty()) {
    result.notes.push_back(
        fmt::format("the state_dict was taken from {} of a checkpoint with the keys {}",
                    where_found, describe_keys(*dict)));
  }
  TensorMaker maker(file, storage_bytes);
  for (const auto& [key, value] : state_dict->items) {
    const auto* name = key->as<std::string>();
    const auto* tensor = value->as<TensorPointer>();
    if (name == nullptr || tensor == nullptr) {
      result.notes.push_back(
          fmt::format("{} was ignored: it is not a named tensor",
                      name != nullptr ? in_quotes(*name) : "an entry whose key is not text"));
      continue;
    }
    if (result.tensors.contains(*name)) {
      throw FormatError(
          fmt::format("{}: tensor {}: duplicate name", file->path(), in_quotes(*name)));
    }
    result.tensors.insert(*name, maker.make(*name, **tensor));
  }
  remove_wrapper_prefixes(result);
}

}  // namespace hanok::weights
