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
using TensorPointer = std::shared_ptr<const TensorRef>;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw FormatError(fmt::format("{}: {}", where, what));
}

/// An element type of PyTorch: its storage class is torch.NAMEStorage; old files have "cuda." in
/// between.
struct ElementType {
  std::string_view name;
  std::size_t size;            // bytes
  std::optional<DType> dtype;  // missing: accepted in a checkpoint, but not loaded
};
constexpr std::array<ElementType, 19> kElementTypes{{
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
    {"QInt8", 1, {}},
    {"QUInt8", 1, {}},
    {"QInt32", 4, {}},
    {"QUInt4x2", 1, {}},
    {"QUInt2x4", 1, {}},
    {"storage.Untyped", 1, {}},
    {"storage._Untyped", 1, {}},
}};

/// The element type of the named class of storages; null if there is none.
const ElementType* find_element_type(std::string_view global) {
  constexpr std::string_view kind = "Storage";
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

constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kRebuildTensorV2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildTensorV3 = "torch._utils._rebuild_tensor_v3";
constexpr std::string_view kRebuildFromType = "torch._tensor._rebuild_from_type";
constexpr std::string_view kRebuildFromTypeV2 = "torch._tensor._rebuild_from_type_v2";

/// Functions that return their first argument, a tensor, as what hanok needs: its values.
constexpr std::array<std::string_view, 3> kReturnTheirTensor{
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
};

/// Functions that make tensors which hanok does not have.
struct UnsupportedMaker {
  std::string_view function;
  std::string_view kind;
};
constexpr std::array<UnsupportedMaker, 8> kUnsupportedMakers{{
    {"torch._utils._rebuild_sparse_tensor", "a sparse tensor"},
    {"torch._utils._rebuild_sparse_csr_tensor", "a sparse tensor"},
    {"torch._utils._rebuild_qtensor", "a quantized tensor"},
    {"torch._utils._rebuild_nested_tensor", "a nested tensor"},
    {"torch._utils._rebuild_meta_tensor_no_storage", "a meta tensor, which has no values"},
    {"torch._utils._rebuild_wrapper_subclass", "a tensor of a wrapper class"},
    {"torch._utils._rebuild_device_tensor_from_numpy", "a tensor that is stored as a NumPy array"},
    {"torch._utils._rebuild_xla_tensor", "a tensor that is stored as a NumPy array"},
}};

/// Classes whose tensors have the values of their storage.
constexpr std::array<std::string_view, 4> kPlainTensorClasses{
    "torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer"};

/// Containers of Python: what hanok needs of them are their items.
constexpr std::array<std::string_view, 4> kSets{"builtins.set", "builtins.frozenset",
                                                "__builtin__.set", "__builtin__.frozenset"};
constexpr std::array<std::string_view, 3> kDictionaries{"collections.OrderedDict",
                                                        "collections.Counter", "builtins.dict"};
constexpr std::string_view kDefaultDict = "collections.defaultdict";
/// Calls that give bytes, whose value is never needed (_codecs.encode: protocol 2's bytes).
constexpr std::array<std::string_view, 4> kBytes{"_codecs.encode", "builtins.bytes",
                                                 "builtins.bytearray", "__builtin__.bytearray"};

/// Modules and functions that run other programs, code or imports. No training script stores them:
/// a file that names one was made to do harm where PyTorch opens it. This list protects PyTorch's
/// users; here nothing is ever run.
constexpr std::array<std::string_view, 12> kHarmfulModules{
    "os",     "posix",  "nt",  "subprocess", "pty",        "runpy",
    "shutil", "socket", "sys", "ctypes",     "webbrowser", "importlib"};
constexpr std::array<std::string_view, 7> kHarmfulBuiltins{
    "eval", "exec", "execfile", "compile", "__import__", "open", "breakpoint"};

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

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

/// The bits of a lazily changed tensor (Tensor.neg, Tensor.conj): {'neg': True, 'conj': False}.
void apply_metadata(const std::string& where, const pickle::Value& value, TensorRef& tensor) {
  if (value.as<pickle::None>() != nullptr) return;
  const auto* metadata = value.as<pickle::Dict>();
  if (metadata == nullptr) fail(where, "a tensor's metadata is not a dictionary");
  for (const auto& [key, flag] : metadata->items) {
    if (const auto* set = flag->as<bool>(); set != nullptr && !*set) continue;
    const auto* name = key->as<std::string>();
    if (name != nullptr && *name == "neg") {
      tensor.negated = true;
    } else {
      const bool conjugate = name != nullptr && *name == "conj";
      tensor.unsupported = conjugate ? "a conjugate tensor" : "a tensor with unknown metadata";
    }
  }
}

/// (storage, offset, sizes, strides, requires_grad, hooks[, metadata]), and in version 3 the dtype
/// before the metadata, for types that have no class of storage.
Payload rebuild_tensor(const std::string& where, const pickle::Tuple& arguments, bool with_dtype) {
  const auto& items = arguments.items;
  if (items.size() < 4) fail(where, "a tensor has no storage, sizes or strides");
  const auto* storage = items[0]->as<std::shared_ptr<const StorageRef>>();
  if (storage == nullptr) fail(where, "a tensor's first argument is not a storage");
  auto tensor = std::make_shared<TensorRef>();
  tensor->storage = *storage;
  tensor->offset = as_integer(where, *items[1], "a tensor's offset");
  tensor->sizes = integers(where, *items[2], "a tensor's size");
  tensor->strides = integers(where, *items[3], "a tensor's stride");
  if (tensor->sizes.size() != tensor->strides.size()) {
    fail(where, fmt::format("a tensor has {} sizes and {} strides", tensor->sizes.size(),
                            tensor->strides.size()));
  }
  const std::size_t metadata = with_dtype ? 7 : 6;
  if (items.size() > metadata) apply_metadata(where, *items[metadata], *tensor);
  if (with_dtype) {
    const auto* dtype = items.size() > 6 ? items[6]->as<pickle::Global>() : nullptr;
    if (dtype == nullptr) fail(where, "a tensor has no dtype");
    tensor->unsupported = in_quotes(dtype->name);
  }
  return TensorPointer(std::move(tensor));
}

Payload unsupported_tensor(std::string kind) {
  auto tensor = std::make_shared<TensorRef>();
  tensor->unsupported = std::move(kind);
  return TensorPointer(std::move(tensor));
}

std::string of_class(const pickle::Value& type) {
  const auto* global = type.as<pickle::Global>();
  return "a tensor of class " + (global == nullptr ? "unknown" : in_quotes(global->name));
}

const UnsupportedMaker* find_unsupported_maker(std::string_view function) {
  for (const UnsupportedMaker& maker : kUnsupportedMakers) {
    if (maker.function == function) return &maker;
  }
  return nullptr;
}

/// True for a function that makes a tensor of its arguments alone.
bool makes_tensor(std::string_view function) {
  return function == kRebuildTensor || function == kRebuildTensorV2 ||
         function == kRebuildTensorV3 || contains(kReturnTheirTensor, function) ||
         find_unsupported_maker(function) != nullptr;
}

Payload make_tensor(const std::string& where, std::string_view function,
                    const pickle::Tuple& arguments) {
  if (const UnsupportedMaker* maker = find_unsupported_maker(function)) {
    return unsupported_tensor(std::string(maker->kind));
  }
  if (!contains(kReturnTheirTensor, function)) {
    return rebuild_tensor(where, arguments, /*with_dtype=*/function == kRebuildTensorV3);
  }
  const auto& items = arguments.items;
  if (!items.empty()) {
    if (const auto* tensor = items[0]->as<TensorPointer>()) return *tensor;
    if (const auto* object = items[0]->as<pickle::Opaque>()) {
      return unsupported_tensor("a tensor made of " + in_quotes(type_name(*object)));
    }
  }
  fail(where, "a parameter's first argument is not a tensor");
}

/// (function, class, arguments, attributes): a tensor with attributes or of another class.
Payload rebuild_from_type(const std::string& where, const pickle::Tuple& arguments) {
  const auto& items = arguments.items;
  const auto* function = items.size() < 3 ? nullptr : items[0]->as<pickle::Global>();
  const auto* inner = items.size() < 3 ? nullptr : items[2]->as<pickle::Tuple>();
  if (function == nullptr || inner == nullptr) fail(where, "a tensor's class is damaged");
  const auto* type = items[1]->as<pickle::Global>();
  const bool plain = type != nullptr && contains(kPlainTensorClasses, type->name);
  if (!plain || !makes_tensor(function->name)) return unsupported_tensor(of_class(*items[1]));
  return make_tensor(where, function->name, *inner);
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
  const ElementType* known = find_element_type(storage_class);
  if (known == nullptr && !storage_class.ends_with("Storage")) {
    fail(where, in_quotes(storage_class) + " is not a storage");
  }
  if (numel < 0) fail(where, fmt::format("storage {} has {} elements", in_quotes(key), numel));
  StorageRef storage;
  storage.key = key;
  storage.type = storage_class;
  if (known != nullptr) {
    storage.dtype = known->dtype;
    storage.element_size = known->size;
  }
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

void TorchResolver::check(const std::string& global) const {
  const std::size_t dot = global.find('.');
  const std::string_view module = std::string_view(global).substr(0, dot);
  const bool builtin = module == "builtins" || module == "__builtin__";
  if (contains(kHarmfulModules, module) ||
      (builtin && contains(kHarmfulBuiltins, std::string_view(global).substr(dot + 1)))) {
    fail(where_, fmt::format("rejected: it names {}, which can run any program where PyTorch opens "
                             "this file (no code was run)",
                             in_quotes(global)));
  }
}

bool TorchResolver::can_call(const std::string& global) const {
  return makes_tensor(global) || global == kRebuildFromType || global == kRebuildFromTypeV2 ||
         contains(kDictionaries, global) || global == kDefaultDict || contains(kSets, global) ||
         contains(kBytes, global) || global == "torch.Size";
}

Payload TorchResolver::call(const std::string& global, const pickle::Tuple& arguments) {
  const auto& items = arguments.items;
  for (const Ref item : items) count_copies(length_of(*item));
  if (makes_tensor(global)) return make_tensor(where_, global, arguments);
  if (global == kRebuildFromType || global == kRebuildFromTypeV2) {
    if (items.size() > 2) {
      if (const auto* inner = items[2]->as<pickle::Tuple>()) {
        for (const Ref item : inner->items) count_copies(length_of(*item));
      }
    }
    return rebuild_from_type(where_, arguments);
  }
  if (contains(kDictionaries, global)) return make_dict(where_, arguments);
  if (global == kDefaultDict) return pickle::Dict{};  // the argument is the default's type
  if (contains(kBytes, global)) return pickle::ByteString{};
  if (contains(kSets, global)) {
    return items.empty() ? pickle::List{} : pickle::List{as_items(where_, *items[0], "a set")};
  }
  return items.empty() ? pickle::Tuple{}
                       : pickle::Tuple{as_items(where_, *items[0], "a torch.Size")};
}

Payload TorchResolver::persistent(const pickle::Value& id) {
  const auto& parts = as_items(where_, id, "a persistent id");
  const std::string kind =
      parts.empty() ? "" : as_text(where_, *parts[0], "a persistent id's kind");
  if (kind == "module" && parts.size() > 1) {
    const auto* module_class = parts[1]->as<pickle::Global>();
    if (module_class == nullptr) fail(where_, "a module has no class");
    count_copies(module_class->name.size());
    return *module_class;
  }
  if (kind != "storage" || parts.size() < 5) fail(where_, "a persistent id is not a storage");
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
