#include "hanok/weights/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <fmt/core.h>
#include <string_view>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"

namespace hanok::weights::pickle {
namespace {

// A checkpoint with 1,000 tensors takes about 50,000 instructions. Each instruction creates at most
// one value of some 50 bytes and consumes at least one byte, so this limits time and memory.
constexpr std::size_t kMostInstructions = 4'000'000;

// A few bytes can name a global again by texts that the memo keeps, and each time its name is
// copied; so it must be short. Python's and PyTorch's own have at most some 80 bytes.
constexpr std::size_t kLongestGlobal = 500;

enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kEmptyList = ']',
  kEmptyDict = '}',
  kProto = 0x80,
  kNewObject = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjectEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

/// Functions that make an instance of the class which is their first argument: it is the object's
/// type.
constexpr std::array<std::string_view, 7> kConstructors{
    "copyreg.__newobj__",
    "copyreg._reconstructor",
    "copy_reg.__newobj__",
    "copy_reg._reconstructor",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "builtins.getattr",
};

/// An integer from its two's complement bytes, least significant first.
Payload integer_from_bytes(std::string bytes) {
  if (bytes.size() > 8) return BigInteger{std::move(bytes)};
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace

const std::string& type_name(const Opaque& object) {
  static const std::string unknown = "an object";
  constexpr int kLongestChain = 8;  // of calls whose results are called
  const Value* type = object.type;
  for (int i = 0; i < kLongestChain && type != nullptr && type->as<Opaque>() != nullptr; ++i) {
    type = type->as<Opaque>()->type;
  }
  const Global* global = type == nullptr ? nullptr : type->as<Global>();
  return global == nullptr ? unknown : global->name;
}

Machine::Machine(Bytes bytes, std::string where, Resolver& resolver, Arena& arena)
    : bytes_(bytes), where_(std::move(where)), resolver_(resolver), arena_(arena) {}

Ref Machine::run() {
  for (std::size_t count = 0; !stopped_; ++count) {
    if (count == kMostInstructions) {
      fail(fmt::format("has more than {} instructions", kMostInstructions));
    }
    opcode_at_ = at_;
    step(take_integer<unsigned char>());
  }
  Ref result = pop();
  if (!stack_.empty()) fail("leaves more than one object");
  return result;
}

void Machine::step(unsigned char opcode) {
  switch (opcode) {
    // control
    case kProto: {
      const auto version = take_integer<unsigned char>();
      if (version < 2 || version > 5) fail(fmt::format("has protocol {}, not 2 to 5", version));
      return;
    }
    case kFrame:  // only a hint for prefetching
      take_integer<std::uint64_t>();
      return;
    case kStop:
      stopped_ = true;
      return;
    case kMark:
      marks_.push_back(stack_.size());
      return;
    case kPop:
      // Python: an empty stack above a mark means that the mark itself is popped.
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return;
    case kPopMark:
      pop_to_mark();
      return;
    case kDup:
      stack_.push_back(top());
      return;

    // numbers and constants
    case kNone:
      return push(None{});
    case kNewTrue:
      return push(true);
    case kNewFalse:
      return push(false);
    case kBinInt:
      return push(std::int64_t{static_cast<std::int32_t>(take_integer<std::uint32_t>())});
    case kBinInt1:
      return push(std::int64_t{take_integer<std::uint8_t>()});
    case kBinInt2:
      return push(std::int64_t{take_integer<std::uint16_t>()});
    case kLong1:
      return push(integer_from_bytes(take(take_integer<std::uint8_t>())));
    case kLong4:
      return push(integer_from_bytes(take(take_integer<std::uint32_t>())));
    case kBinFloat: {  // the only big-endian number
      std::string bytes = take(8);
      std::uint64_t bits = 0;
      for (const char byte : bytes) bits = (bits << 8) | static_cast<unsigned char>(byte);
      return push(std::bit_cast<double>(bits));
    }

    // strings
    case kShortBinString:  // Python 2's str is read as text
    case kShortBinUnicode:
      return push(take(take_integer<std::uint8_t>()));
    case kBinString:
    case kBinUnicode:
      return push(take(take_integer<std::uint32_t>()));
    case kBinUnicode8:
      return push(take(take_integer<std::uint64_t>()));
    case kShortBinBytes:
      return push(ByteString{take(take_integer<std::uint8_t>())});
    case kBinBytes:
      return push(ByteString{take(take_integer<std::uint32_t>())});
    case kBinBytes8:
    case kByteArray8:
      return push(ByteString{take(take_integer<std::uint64_t>())});

    // containers
    case kEmptyTuple:
      return push(Tuple{});
    case kTuple:
      return push(Tuple{pop_to_mark()});
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      std::vector<Ref> items(static_cast<std::size_t>(opcode - kTuple1) + 1);
      for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
      return push(Tuple{std::move(items)});
    }
    case kEmptyList:
      return push(List{});
    case kList:
      return push(List{pop_to_mark()});
    case kEmptySet:  // its order and its uniqueness are never needed
      return push(List{});
    case kFrozenSet:
      return push(List{pop_to_mark()});
    case kAppend:
      return append_items({pop()});
    case kAppends:
    case kAddItems:
      return append_items(pop_to_mark());
    case kEmptyDict:
      return push(Dict{});
    case kDict: {
      std::vector<Ref> flat = pop_to_mark();
      push(Dict{});
      return set_items(std::move(flat));
    }
    case kSetItem: {
      Ref value = pop();
      Ref key = pop();
      return set_items({key, value});
    }
    case kSetItems:
      return set_items(pop_to_mark());

    // memo
    case kBinPut:
      return memo_put(take_integer<std::uint8_t>());
    case kLongBinPut:
      return memo_put(take_integer<std::uint32_t>());
    case kMemoize:
      return memo_put(memo_.size());
    case kBinGet:
      return memo_get(take_integer<std::uint8_t>());
    case kLongBinGet:
      return memo_get(take_integer<std::uint32_t>());

    // objects
    case kGlobal: {
      const std::string module = take_line();
      return read_global(module, take_line());
    }
    case kStackGlobal: {
      const std::string& name = pop_text();
      return read_global(pop_text(), name);
    }
    case kReduce:
    case kNewObject: {
      const Ref arguments = pop();
      return call(pop(), arguments);
    }
    case kNewObjectEx: {
      pop();  // arguments by name
      const Ref arguments = pop();
      return call(pop(), arguments);
    }
    case kBuild:
      return build();
    case kBinPersId:
      return push(resolver_.persistent(*pop()));
    default:
      fail(fmt::format("uses instruction 0x{:02x}, which is not allowed in a state_dict", opcode));
  }
}

void Machine::read_global(const std::string& module, const std::string& name) {
  if (module.size() + name.size() > kLongestGlobal) {
    fail(fmt::format("names a global of more than {} bytes", kLongestGlobal));
  }
  std::string global = module + "." + name;
  resolver_.check(global);
  push(Global{std::move(global)});
}

void Machine::call(Ref function, Ref arguments) {
  const auto* global = function->as<Global>();
  const auto* tuple = arguments->as<Tuple>();
  if (tuple == nullptr || (global == nullptr && function->as<Opaque>() == nullptr)) {
    fail("calls something that is not a name");
  }
  if (global == nullptr) return push(Opaque{.type = function});
  if (resolver_.can_call(global->name)) return push(resolver_.call(global->name, *tuple));
  const bool makes_its_argument =
      std::find(kConstructors.begin(), kConstructors.end(), global->name) != kConstructors.end() &&
      !tuple->items.empty() && tuple->items[0]->as<Global>() != nullptr;
  push(Opaque{.type = makes_its_argument ? tuple->items[0] : function});
}

/// Attributes of a dictionary (a state_dict has `_metadata`) are ignored.
void Machine::build() {
  const Ref state = pop();
  if (auto* object = std::get_if<Opaque>(&top()->payload)) {
    object->state = state;
  } else if (top()->as<Dict>() == nullptr) {
    fail("sets attributes of an object that cannot have any");
  }
}

List* Machine::elements_of(Value& value) {
  if (auto* list = std::get_if<List>(&value.payload)) return list;
  auto* object = std::get_if<Opaque>(&value.payload);
  if (object == nullptr) return nullptr;
  if (object->elements == nullptr) object->elements = arena_.add(List{});
  return std::get_if<List>(&object->elements->payload);
}

Dict* Machine::items_of(Value& value) {
  if (auto* dict = std::get_if<Dict>(&value.payload)) return dict;
  auto* object = std::get_if<Opaque>(&value.payload);
  if (object == nullptr) return nullptr;
  if (object->items == nullptr) object->items = arena_.add(Dict{});
  return std::get_if<Dict>(&object->items->payload);
}

void Machine::append_items(std::vector<Ref> items) {
  List* list = elements_of(*top());
  if (list == nullptr) fail("appends to an object that is not a list");
  list->items.insert(list->items.end(), items.begin(), items.end());
}

void Machine::set_items(std::vector<Ref> flat) {
  Dict* dict = items_of(*top());
  if (dict == nullptr) fail("sets items of an object that is not a dictionary");
  if (flat.size() % 2 != 0) fail("sets a key without a value");
  for (std::size_t i = 0; i < flat.size(); i += 2) dict->items.emplace_back(flat[i], flat[i + 1]);
}

void Machine::fail(const std::string& what) const {
  throw FormatError(fmt::format("{}: the pickle {} (byte {})", where_, what, opcode_at_));
}

Ref Machine::top() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) fail("takes an object from an empty stack");
  return stack_.back();
}

Ref Machine::pop() {
  Ref value = top();
  stack_.pop_back();
  return value;
}

std::vector<Ref> Machine::pop_to_mark() {
  if (marks_.empty()) fail("is missing a mark");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Ref> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

std::string Machine::take(std::uint64_t length) {
  if (!range_fits(at_, length, bytes_.size())) fail("is truncated");
  std::string result(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
  at_ += length;
  return result;
}

template <typename T>
T Machine::take_integer() {
  if (!range_fits(at_, sizeof(T), bytes_.size())) fail("is truncated");
  const T value = read_little_endian<T>(bytes_, at_);
  at_ += sizeof(T);
  return value;
}

std::string Machine::take_line() {
  const Bytes rest = bytes_.subspan(at_);
  const auto end = std::find(rest.begin(), rest.end(), static_cast<unsigned char>('\n'));
  if (end == rest.end()) fail("is truncated");
  std::string line = take(static_cast<std::uint64_t>(end - rest.begin()));
  ++at_;
  return line;
}

const std::string& Machine::pop_text() {
  const auto* text = pop()->as<std::string>();
  if (text == nullptr) fail("names a global by an object that is not text");
  return *text;
}

void Machine::memo_put(std::uint64_t index) { memo_[index] = top(); }

void Machine::memo_get(std::uint64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail(fmt::format("refers to memo {}, which was never set", index));
  stack_.push_back(found->second);
}

}  // namespace hanok::weights::pickle
