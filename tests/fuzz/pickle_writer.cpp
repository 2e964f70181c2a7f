#include "tests/fuzz/pickle_writer.h"

#include <array>
#include <utility>

namespace hanok::fuzz {
namespace {

using Name = std::pair<const char*, const char*>;

constexpr std::array<Name, 24> kGlobals = {{
    {"torch._utils", "_rebuild_tensor"},
    {"torch._utils", "_rebuild_tensor_v2"},
    {"torch._utils", "_rebuild_tensor_v3"},
    {"torch._utils", "_rebuild_parameter"},
    {"torch._utils", "_rebuild_parameter_with_state"},
    {"torch._utils", "_rebuild_sparse_tensor"},
    {"torch._utils", "_rebuild_qtensor"},
    {"torch._tensor", "_rebuild_from_type_v2"},
    {"torch", "Size"},
    {"torch", "FloatStorage"},
    {"torch", "HalfStorage"},
    {"torch", "LongStorage"},
    {"torch", "IntStorage"},
    {"torch.strange", "IntStorage"},
    {"torch", "Tensor"},
    {"torch", "float8_e4m3fn"},
    {"collections", "OrderedDict"},
    {"collections", "defaultdict"},
    {"builtins", "set"},
    {"builtins", "getattr"},
    {"_codecs", "encode"},
    {"copyreg", "_reconstructor"},
    {"argparse", "Namespace"},
    {"torch.nn.modules.linear", "Linear"},
}};

constexpr std::array<const char*, 24> kTexts = {"weight",     "bias",
                                                "0",          "1",
                                                "storage",    "cpu",
                                                "state_dict", "model",
                                                "module",     "ema",
                                                "module.",    "_orig_mod.",
                                                "optimizer",  "_parameters",
                                                "_modules",   "neg",
                                                "conj",       "num_batches_tracked",
                                                "net",        "bn.num_batches_tracked",
                                                "epoch",      "little_endian",
                                                "fc.weight",  ""};

/// Instructions of one byte.
constexpr std::string_view kPlain(
    "(.012)t]l}d\x8f\x90\x91"
    "aesubRQ\x81\x85\x86\x87\x88\x89\x92\x93\x94N");

const char* storage_type(ByteSource& source) {
  static constexpr std::array<const char*, 8> kTypes = {
      "FloatStorage", "FloatStorage", "HalfStorage", "LongStorage",
      "ByteStorage",  "IntStorage",   "BoolStorage", "CharStorage"};
  return kTypes[source.below(kTypes.size())];
}

std::string number_tuple(ByteSource& source) {
  std::string text = "(";
  for (std::size_t left = source.below(6); left > 0; --left) text += pickle_number(source.byte());
  return text + "t";
}

std::string any_text(ByteSource& source) {
  const std::size_t kind = source.below(kTexts.size() + 2);
  return kind < kTexts.size() ? kTexts[kind] : source.text();
}

/// A call of _rebuild_tensor_v2, with sizes and strides of any kind.
std::string any_tensor(ByteSource& source) {
  return pickle_global("torch._utils", "_rebuild_tensor_v2") + "(" +
         pickle_storage(storage_type(source), source.flag() ? "1" : "0", source.byte()) +
         pickle_number(source.byte()) + number_tuple(source) + number_tuple(source) + "\x89" +
         pickle_global("collections", "OrderedDict") + ")RtR";
}

std::string instruction(ByteSource& source) {
  const std::size_t kind = source.below(kPlain.size() + 40);
  if (kind < kPlain.size()) return {kPlain[kind]};
  switch ((kind - kPlain.size()) % 18) {
    case 0:
    case 1:
      return pickle_text(any_text(source));
    case 2: {
      const auto& [module, name] = kGlobals[source.below(kGlobals.size())];
      return pickle_global(module, name);
    }
    case 3:
      return "h" + little_endian(source.below(16), 1);
    case 4:
      return "q" + little_endian(source.below(16), 1);
    case 5:
      return "K" + little_endian(source.byte(), 1);
    case 6:
      return "J" + little_endian(source.number(4), 4);
    case 7:
      return "G" + little_endian(source.number(8), 8);
    case 8: {
      const std::string text = source.text();
      return "\x8a" + little_endian(text.size(), 1) + text;
    }
    case 9: {
      const std::string text = source.text();
      return "B" + little_endian(source.flag() ? text.size() : source.number(4), 4) + text;
    }
    case 10:
      return pickle_storage(storage_type(source), source.flag() ? "1" : "0", source.byte());
    case 11:
    case 12:
      return any_tensor(source);
    case 13:  // an item of a state_dict
    case 14:
      return pickle_text(any_text(source)) + any_tensor(source) + "s";
    case 15:
      return pickle_text(any_text(source)) + "}";
    case 16:
      return number_tuple(source);
    default:
      return source.text();  // anything
  }
}

}  // namespace

std::string pickle_text(const std::string& text) {
  return "X" + little_endian(text.size(), 4) + text;
}

std::string pickle_number(std::uint64_t value) { return "\x8a\x08" + little_endian(value, 8); }

std::string pickle_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

std::string pickle_storage(const std::string& type, const std::string& key, std::uint64_t numel) {
  return "(" + pickle_text("storage") + pickle_global("torch", type) + pickle_text(key) +
         pickle_text("cpu") + pickle_number(numel) + "tQ";
}

std::string pickle_tensor(const std::string& type, const std::string& key, std::uint64_t numel) {
  return pickle_global("torch._utils", "_rebuild_tensor_v2") + "(" +
         pickle_storage(type, key, numel) + pickle_number(0) + "(" + pickle_number(numel) + "t(" +
         pickle_number(1) + "t\x89" + pickle_global("collections", "OrderedDict") + ")RtR";
}

std::string pickle_of(ByteSource& source, int most) {
  std::string pickle = "\x80\x02";
  if (source.flag()) pickle += "}";
  for (int i = 0; i < most && !source.empty(); ++i) pickle += instruction(source);
  return pickle + ".";
}

}  // namespace hanok::fuzz
