#include "hanok/weights/torch_objects.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <string_view>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"

namespace hanok::weights {
namespace {

using pickle::Payload;
using pickle::Ref;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw FormatError(fmt::format("{}: {}", where, what));
}

/// An element type of PyTorch: its storage class is torch.NAMEStorage, its tensor class
/// torch.NAMETensor; old files have "cuda." in between.
struct ElementType {
  std::string_view name;
  std::size_t size;            // bytes
  std::optional<DType> dtype;  // missing: accepted in a checkpoint, but not loaded
};
constexpr std::array<ElementType, 14> kElementTypes{{
    {"Float", 4, DType::F32},
    {"Double", 8, DType::F64},
    {"Half", 2, DType::F16},
    {"BFloat16", 2, DType::BF16},
    {"Long", 8, DType::I64},
    {"Byte", 1, DType::U8},
    {"Int", 4, {}},
    {"Short", 2, {}},
    {"Char", 1, {}},
    {"Bool", 1, {}},
    {"ComplexFloat", 8, {}},
    {"ComplexDouble", 16, {}},
    {"storage.Untyped", 1, {}},
    {"storage._Untyped", 1, {}},
}};

/// The element type of the named class of this kind ("Storage" or "Tensor"); null if there is none.
const ElementType* find_element_type(std::string_view global, std::string_view kind) {
  for (const std::string_view module : {"torch.cuda.", "torch."}) {
    if (global.size() < module.size() + kind.size() || global.substr(0, module.size()) != module ||
        global.substr(global.size() - kind.size()) != kind) {
      continue;
    }
    const std::string_view name =
        global.substr(module.size(), global.size() - module.size() - kind.size());
    for (const ElementType& known : kElementTypes) {
      if (name == known.name) return &known;
    }
  }
  return nullptr;
}

// Names that are called (see call() below) or only mentioned.
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kRebuildTensorV2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kRebuildParameterWithState =
    "torch._utils._rebuild_parameter_with_state";
constexpr std::array<std::string_view, 21> kKnownNames{
    kRebuildTensor,
    kRebuildTensorV2,
    kRebuildParameter,
    kRebuildParameterWithState,
    "collections.OrderedDict",
    "collections.Counter",
    "torch.Size",
    "torch.device",
    "_codecs.encode",
    // Mentioned in checkpoints, never called.
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.float32",
    "torch.float64",
    "torch.float16",
    "torch.bfloat16",
    "torch.uint8",
    "torch.int8",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.bool",
};

/// Calls copy their list arguments, so a small pickle could pass one long list to many calls.
/// Legitimate ones pass sizes and strides, or the names of one model.
constexpr std::size_t kMostCopies = 4'000'000;

/// Number of items of a tuple, list or dictionary; 0 for anything else.
std::size_t length_of(const pickle::Value& value) {
  if (const auto* tuple = value.as<pickle::Tuple>()) return tuple->items.size();
  if (const auto* list = value.as<pickle::List>()) return list->items.size();
  if (const auto* dict = value.as<pickle::Dict>()) return dict->items.size();
  return 0;
}

std::vector<std::int64_t> integers(const std::string& where, const pickle::Value& value,
                                   const char* what) {
  std::vector<std::int64_t> result;
  for (const Ref item : as_items(where, value, what)) {
    result.push_back(as_integer(where, *item, what));
  }
  return result;
}

/// (storage, offset, sizes, strides, ...): the remaining arguments concern gradients.
Payload rebuild_tensor(const std::string& where, const pickle::Tuple& arguments) {
  if (arguments.items.size() < 4) fail(where, "a tensor has no storage, sizes or strides");
  const auto* storage = arguments.items[0]->as<std::shared_ptr<const StorageRef>>();
  if (storage == nullptr) fail(where, "a tensor's first argument is not a storage");
  auto tensor = std::make_shared<TensorRef>();
  tensor->storage = *storage;
  tensor->offset = as_integer(where, *arguments.items[1], "a tensor's offset");
  tensor->sizes = integers(where, *arguments.items[2], "a tensor's size");
  tensor->strides = integers(where, *arguments.items[3], "a tensor's stride");
  if (tensor->sizes.size() != tensor->strides.size()) {
    fail(where, fmt::format("a tensor has {} sizes and {} strides", tensor->sizes.size(),
                            tensor->strides.size()));
  }
  return std::shared_ptr<const TensorRef>(std::move(tensor));
}

/// No arguments, a dictionary, or a list of pairs (Python 2).
Payload make_dict(const std::string& where, const pickle::Tuple& arguments) {
  pickle::Dict dict;
  if (arguments.items.empty()) return dict;
  if (const auto* other = arguments.items[0]->as<pickle::Dict>()) return *other;
  for (const Ref pair : as_items(where, *arguments.items[0], "an OrderedDict's content")) {
    const auto& key_value = as_items(where, *pair, "an OrderedDict's item");
    if (key_value.size() != 2) fail(where, "an OrderedDict's item is not a pair");
    dict.items.emplace_back(key_value[0], key_value[1]);
  }
  return dict;
}

}  // namespace

StorageRef make_storage_ref(const std::string& where, const std::string& key,
                            const std::string& storage_class, std::int64_t numel) {
  const ElementType* known = find_element_type(storage_class, "Storage");
  if (known == nullptr) fail(where, in_quotes(storage_class) + " is not a storage");
  if (numel < 0) fail(where, fmt::format("storage {} has {} elements", in_quotes(key), numel));
  StorageRef storage;
  storage.key = key;
  storage.type = storage_class;
  storage.dtype = known->dtype;
  storage.element_size = known->size;
  storage.numel = storage.view_numel = numel;
  return storage;
}

void check_view(const std::string& where, const StorageRef& storage) {
  if (storage.view_offset < 0 || storage.view_numel < 0 ||
      storage.view_offset > storage.numel - storage.view_numel) {
    fail(where, fmt::format("a view of storage {} (offset {}, {} elements) does not fit its {} "
                            "elements",
                            in_quotes(storage.key), storage.view_offset, storage.view_numel,
                            storage.numel));
  }
}

bool TorchResolver::knows(const std::string& global) const {
  return find_element_type(global, "Storage") != nullptr ||
         find_element_type(global, "Tensor") != nullptr ||
         std::find(kKnownNames.begin(), kKnownNames.end(), global) != kKnownNames.end();
}

Payload TorchResolver::call(const std::string& global, const pickle::Tuple& arguments) {
  const auto& items = arguments.items;
  for (const Ref item : items) count_copies(length_of(*item));
  if (global == kRebuildTensor || global == kRebuildTensorV2) {
    return rebuild_tensor(where_, arguments);
  }
  if (global == kRebuildParameter || global == kRebuildParameterWithState) {
    if (items.empty() || items[0]->as<std::shared_ptr<const TensorRef>>() == nullptr) {
      fail(where_, "a parameter's first argument is not a tensor");
    }
    return items[0]->payload;
  }
  if (global == "collections.OrderedDict" || global == "collections.Counter") {
    return make_dict(where_, arguments);
  }
  if (global == "torch.Size") {
    return items.empty() ? pickle::Tuple{}
                         : pickle::Tuple{as_items(where_, *items[0], "a torch.Size")};
  }
  if (global == "torch.device") return pickle::Opaque{};
  if (global == "_codecs.encode") {  // protocol 2's bytes, whose value is never needed
    return pickle::Opaque{};
  }
  fail(where_, in_quotes(global) + " is called as a function");
}

Payload TorchResolver::persistent(const pickle::Value& id) {
  const auto& parts = as_items(where_, id, "a persistent id");
  if (parts.size() < 5 || as_text(where_, *parts[0], "a persistent id's kind") != "storage") {
    fail(where_, "a persistent id is not a storage");
  }
  const auto* storage_class = parts[1]->as<pickle::Global>();
  if (storage_class == nullptr) fail(where_, "a storage has no class");
  const std::string& key = as_text(where_, *parts[2], "a storage's key");
  count_copies(key.size());
  StorageRef storage = make_storage_ref(where_, key, storage_class->name,
                                        as_integer(where_, *parts[4], "a storage's size"));
  if (parts.size() > 5 && parts[5]->as<pickle::None>() == nullptr) {  // legacy: (key, offset, size)
    const auto& view = as_items(where_, *parts[5], "a storage's view");
    if (view.size() != 3) fail(where_, "a storage's view does not have three parts");
    storage.view_offset = as_integer(where_, *view[1], "a view's offset");
    storage.view_numel = as_integer(where_, *view[2], "a view's size");
    check_view(where_, storage);
  }
  return std::make_shared<const StorageRef>(std::move(storage));
}

void TorchResolver::count_copies(std::size_t items) {
  copies_ += items;
  if (copies_ > kMostCopies) {
    fail(where_, fmt::format("its calls have more than {} items as arguments", kMostCopies));
  }
}

std::int64_t as_integer(const std::string& where, const pickle::Value& value, const char* what) {
  const auto* integer = value.as<std::int64_t>();
  if (integer == nullptr) fail(where, fmt::format("{} is not an integer", what));
  return *integer;
}

const std::string& as_text(const std::string& where, const pickle::Value& value, const char* what) {
  const auto* text = value.as<std::string>();
  if (text == nullptr) fail(where, fmt::format("{} is not text", what));
  return *text;
}

const std::vector<Ref>& as_items(const std::string& where, const pickle::Value& value,
                                 const char* what) {
  if (const auto* tuple = value.as<pickle::Tuple>()) return tuple->items;
  if (const auto* list = value.as<pickle::List>()) return list->items;
  fail(where, fmt::format("{} is neither a tuple nor a list", what));
}

}  // namespace hanok::weights
