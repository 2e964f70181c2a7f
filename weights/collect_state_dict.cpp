// Finds the state_dict in the Python objects of a .pth file, makes its tensors and names them.
#include <algorithm>
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
#include "hanok/weights/survey.h"
#include "hanok/weights/tensor_window.h"

namespace hanok::weights {
namespace {

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

constexpr std::string_view kCounter = "num_batches_tracked";

const pickle::Dict* find_item(const pickle::Dict& dict, std::string_view name) {
  for (const auto& [key, value] : dict.items) {
    const auto* text = key->as<std::string>();
    if (text != nullptr && *text == name) return items_of(*value);
  }
  return nullptr;
}

/// The dictionary of tensors at or below `dict` under keys of state_dicts; null if there is none.
/// Dictionaries may form cycles: those in `seen` are not visited again.
const pickle::Dict* find_under_known_keys(const pickle::Dict& dict, int depth,
                                          std::unordered_set<const pickle::Dict*>& seen,
                                          const Survey& survey) {
  if (depth > kDeepestNesting || !seen.insert(&dict).second) return nullptr;
  for (const std::string_view name : kStateDictKeys) {
    const pickle::Dict* inner = find_item(dict, name);
    if (inner == nullptr) continue;
    const pickle::Dict* found = find_under_known_keys(*inner, depth + 1, seen, survey);
    if (found != nullptr) return found;
  }
  const bool holds_tensors =
      depth > 0 && std::any_of(survey.dictionaries.begin(), survey.dictionaries.end(),
                               [&](const TensorDictionary& d) { return d.dict == &dict; });
  return holds_tensors ? &dict : nullptr;
}

/// True if the rename's FROM leads to this dictionary or to names in it.
bool names_dictionary(const Rename& rename, const CheckpointPath& path) {
  const std::string key = path.dotted();
  return !key.empty() && (rename.from == key || rename.from.starts_with(key + ".") ||
                          (!rename.from.empty() && key.starts_with(rename.from + ".")));
}

struct Choice {
  std::vector<const TensorDictionary*> taken;
  bool named_by_rename = false;
};

/// The dictionary under a known key; else all that are no optimizer's.
std::vector<const TensorDictionary*> usual_choice(const pickle::Value& root, const Survey& survey) {
  if (const pickle::Dict* dict = items_of(root)) {
    std::unordered_set<const pickle::Dict*> seen;
    const pickle::Dict* known = find_under_known_keys(*dict, 0, seen, survey);
    for (const TensorDictionary& dictionary : survey.dictionaries) {
      if (dictionary.dict == known) return {&dictionary};
    }
  }
  std::vector<const TensorDictionary*> taken;
  for (const TensorDictionary& dictionary : survey.dictionaries) {
    if (dictionary.may_be_weights) taken.push_back(&dictionary);
  }
  return taken;
}

/// Which dictionaries are the state_dict: the usual ones, unless a rename names one that would be
/// left out.
Choice choose(const pickle::Value& root, const Survey& survey, const std::vector<Rename>& renames) {
  Choice choice{.taken = usual_choice(root, survey)};
  std::vector<const TensorDictionary*> named;
  for (const TensorDictionary& dictionary : survey.dictionaries) {
    const bool is_taken =
        std::find(choice.taken.begin(), choice.taken.end(), &dictionary) != choice.taken.end();
    const bool is_named = std::any_of(renames.begin(), renames.end(), [&](const Rename& rename) {
      return names_dictionary(rename, dictionary.path);
    });
    if (is_named && !is_taken) named.push_back(&dictionary);
  }
  if (!named.empty()) choice = {.taken = named, .named_by_rename = true};
  return choice;
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

/// A module is a program with its weights inside: Python has to take them out.
[[noreturn]] void refuse_module(const std::string& path, const OpaqueObject& module) {
  throw FormatError(fmt::format(
      "{}: holds a whole module ({}){}, which only its own Python code can open; where you trust "
      "that code, save its state_dict: torch.save(torch.load({}, map_location='cpu', "
      "weights_only=False){}.state_dict(), 'state_dict.pth')",
      path, in_quotes(module.type), module.path.steps.empty() ? "" : " at " + module.path.display(),
      in_quotes(path), module.path.python()));
}

[[noreturn]] void refuse(const std::string& path, const pickle::Value& root) {
  if (const auto* dict = root.as<pickle::Dict>()) {
    throw FormatError(fmt::format("{}: contains no state_dict: no named tensors under its keys: {}",
                                  path, describe_keys(*dict)));
  }
  const auto* object = root.as<pickle::Opaque>();
  throw FormatError(fmt::format(
      "{}: contains no state_dict: its pickle is {}not a dictionary of tensors", path,
      object == nullptr ? "" : fmt::format("an object of {}, ", in_quotes(type_name(*object)))));
}

/// "[args]: argparse.Namespace", one line each.
std::vector<std::string> describe_objects(const Survey& survey) {
  std::vector<std::string> lines;
  for (const OpaqueObject& object : survey.objects) {
    const std::string type = in_quotes(object.type);
    lines.push_back(fmt::format(
        "{}: {}{}", object.path.display(), type.substr(1, type.size() - 2),
        object.count > 1 ? fmt::format(" (and {} more of them in the list)", object.count - 1)
                         : ""));
  }
  if (survey.more_objects > 0) lines.push_back(fmt::format("and {} more", survey.more_objects));
  return lines;
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
    checked_row_major(where, reference.sizes);
    count_bytes(where, reference, storage.element_size);
    const Tensor tensor = to_tensor(
        {bytes_of(storage), reference.offset, reference.sizes, reference.strides, *storage.dtype},
        where, file_);
    return reference.negated ? negative(tensor, where) : tensor;
  }

  /// True for a counter of batch norm in a signed integer type that hanok does not have.
  static bool is_short_counter(const std::string& name, const TensorRef& reference) {
    if (!name.ends_with(kCounter) || reference.storage == nullptr || reference.storage->dtype ||
        reference.storage->element_size == 0 || reference.negated ||
        !reference.unsupported.empty()) {
      return false;
    }
    const std::string& type = reference.storage->type;
    const bool is_signed = type.ends_with(".IntStorage") || type.ends_with(".ShortStorage") ||
                           type.ends_with(".CharStorage");
    const auto one = [](std::int64_t size) { return size == 1; };
    return is_signed && std::all_of(reference.sizes.begin(), reference.sizes.end(), one) &&
           reference.sizes.size() <= static_cast<std::size_t>(kMaxRank);
  }

  /// Such a counter as an i64.
  Tensor make_counter(const std::string& name, const TensorRef& reference) {
    const std::size_t size = reference.storage->element_size;
    const Bytes bytes = bytes_of(*reference.storage);
    const std::uint64_t count = bytes.size() / size;
    if (reference.offset < 0 || static_cast<std::uint64_t>(reference.offset) >= count) {
      throw FormatError(
          fmt::format("{}: tensor {}: offset {} is outside its storage of {} elements",
                      file_->path(), in_quotes(name), reference.offset, count));
    }
    const Bytes element = bytes.subspan(static_cast<std::size_t>(reference.offset) * size, size);
    std::uint64_t value = (element[size - 1] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = size; i-- > 0;) value = (value << 8) | element[i];
    return Tensor::from_vector(std::vector<std::int64_t>{static_cast<std::int64_t>(value)},
                               Shape{});
  }

 private:
  /// The bytes of a storage, or of the part of it that a view shows.
  Bytes bytes_of(const StorageRef& storage) const {
    return storage_bytes_(storage).subspan(
        static_cast<std::size_t>(storage.view_offset) * storage.element_size,
        static_cast<std::size_t>(storage.view_numel) * storage.element_size);
  }

  /// The same values with the other sign; for types with a sign bit.
  static Tensor negative(const Tensor& tensor, const std::string& where) {
    const DType dtype = tensor.dtype();
    if (dtype == DType::I64 || dtype == DType::U8) {
      throw FormatError(
          fmt::format("{}: is a negated view of integers, which is not supported", where));
    }
    Tensor result = tensor.clone();
    auto* bytes = static_cast<unsigned char*>(result.mutable_view().data);
    const std::size_t size = size_of(dtype);
    // The sign is the highest bit of the last byte: numbers are little-endian.
    for (std::size_t at = size - 1; at < result.bytes(); at += size) bytes[at] ^= 0x80;
    return result;
  }

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

/// What a checkpoint holds beside its state_dict, in notes.
void note_choice(const pickle::Value& root, const Survey& survey, const Choice& choice,
                 WeightFile& result) {
  if (choice.taken.size() > 1) {
    std::vector<std::string> taken;
    for (const TensorDictionary* dictionary : choice.taken) {
      const std::string path = dictionary->path.display();
      taken.push_back(fmt::format("{} ({})", path.empty() ? "the top" : path, dictionary->tensors));
    }
    result.notes.push_back(
        fmt::format("tensors of several dictionaries were taken: {}; their keys stand in front of "
                    "the names",
                    fmt::join(taken, ", ")));
    return;
  }
  const TensorDictionary& taken = *choice.taken.front();
  if (taken.path.steps.empty()) return;
  const pickle::Dict* dict = items_of(root);
  result.notes.push_back(
      fmt::format("the state_dict was taken from {} of a checkpoint{}", taken.path.display(),
                  dict == nullptr ? "" : " with the keys " + describe_keys(*dict)));
  for (const TensorDictionary& other : survey.dictionaries) {
    if (&other == &taken || !other.may_be_weights || other.path.steps.empty() ||
        other.tensors < taken.tensors / 2) {
      continue;
    }
    result.notes.push_back(fmt::format(
        "{} holds {} tensors as well, which were left out (--rename {}= takes them instead)",
        other.path.display(), other.tensors, other.path.dotted()));
  }
}

void take_entry(const std::string& path, const std::string& prefix, const pickle::Value& key,
                const pickle::Value& value, TensorMaker& maker, WeightFile& result) {
  const auto* text = key.as<std::string>();
  const TensorRef* tensor = as_tensor(value);
  if (text != nullptr) check_name_length(path, *text);
  const std::string name = text == nullptr ? "" : prefix + *text;
  const auto* object = value.as<pickle::Opaque>();
  if (text == nullptr || (tensor == nullptr && object == nullptr)) {
    if (items_of(value) != nullptr) return;  // looked into on its own
    result.notes.push_back(
        fmt::format("{} was ignored: it is not a named tensor",
                    text != nullptr ? in_quotes(name) : "an entry whose key is not text"));
    return;
  }
  if (result.tensors.contains(name) || result.unsupported.contains(name)) {
    throw FormatError(fmt::format("{}: tensor {}: duplicate name", path, in_quotes(name)));
  }
  if (tensor == nullptr) {
    result.unsupported[name] = "an object of " + in_quotes(type_name(*object));
  } else if (TensorMaker::is_short_counter(name, *tensor)) {
    result.tensors.insert(name, maker.make_counter(name, *tensor));
  } else if (const std::string& kind = tensor->unsupported_kind(); !kind.empty()) {
    result.unsupported[name] = kind;
  } else {
    result.tensors.insert(name, maker.make(name, *tensor));
  }
}

void note_unsupported(WeightFile& result) {
  constexpr std::size_t kMostNotes = 20;
  std::size_t count = 0;
  for (const auto& [name, kind] : result.unsupported) {
    if (count++ == kMostNotes) {
      result.notes.push_back(
          fmt::format("{} more entries that hanok has no tensors for were left "
                      "out",
                      result.unsupported.size() - kMostNotes));
      return;
    }
    result.notes.push_back(fmt::format("{} was left out: it is {}", in_quotes(name), kind));
  }
}

/// Renames act on the file's names; those that match none act once the wrappers' prefixes are gone.
void rename_and_unwrap(WeightFile& result, const std::vector<Rename>& renames) {
  std::vector<Rename> later;
  for (const Rename& rename : renames) {
    const std::string start = rename.from + ".";
    const bool matches =
        !rename.from.empty() &&
        std::any_of(result.tensors.begin(), result.tensors.end(), [&](const auto& entry) {
          return entry.first == rename.from || entry.first.starts_with(start);
        });
    if (matches && later.empty()) {
      rename_tensors(result.tensors, {rename});
    } else {
      later.push_back(rename);
    }
  }
  remove_wrapper_prefixes(result);
  rename_tensors(result.tensors, later);
}

}  // namespace

void check_name_length(const std::string& path, const std::string& name) {
  if (name.size() <= kLongestName) return;
  throw FormatError(fmt::format("{}: the name {} has {} bytes; at most {} are allowed", path,
                                in_quotes(name), name.size(), kLongestName));
}

void collect_state_dict(const pickle::Value& root, const std::shared_ptr<const MappedFile>& file,
                        const StorageBytes& storage_bytes, const std::vector<Rename>& renames,
                        WeightFile& result) {
  const Survey found = survey(root);
  if (found.more_dictionaries > 0) {
    throw FormatError(fmt::format("{}: holds more than {} dictionaries of tensors", file->path(),
                                  kMostDictionaries));
  }
  const Choice choice = choose(root, found, renames);
  const auto module = std::find_if(found.objects.begin(), found.objects.end(),
                                   [](const OpaqueObject& object) { return object.is_module; });
  const bool under_known_key = choice.taken.size() == 1 && !choice.taken[0]->path.steps.empty();
  if (module != found.objects.end() && !under_known_key && !choice.named_by_rename) {
    refuse_module(file->path(), *module);
  }
  if (choice.taken.empty()) refuse(file->path(), root);
  note_choice(root, found, choice, result);

  TensorMaker maker(file, storage_bytes);
  for (const TensorDictionary* dictionary : choice.taken) {
    const bool keep_key = choice.taken.size() > 1 || choice.named_by_rename;
    const std::string key = keep_key ? dictionary->path.dotted() : "";
    const std::string prefix = key.empty() ? "" : key + ".";
    for (const auto& [name, value] : dictionary->dict->items) {
      take_entry(file->path(), prefix, *name, *value, maker, result);
    }
  }
  if (result.tensors.empty() && !result.unsupported.empty()) {
    const auto& [name, kind] = *result.unsupported.begin();
    throw FormatError(fmt::format("{}: tensor {}: unsupported element type or kind: {}",
                                  file->path(), in_quotes(name), kind));
  }
  note_unsupported(result);
  result.objects = describe_objects(found);
  rename_and_unwrap(result, renames);
}

}  // namespace hanok::weights
