// Reads pickles, the format of Python objects, as far as a state_dict needs it.
//
// A pickle is a program for a small stack machine. In Python its GLOBAL and REDUCE instructions can
// import and call anything, so an unknown .pth file can run code. Here nothing is imported: a name
// is text. A call of one of the few names that a Resolver knows gives its data; a call of any other
// name, and an instance of any class, gives an Opaque object, of which only the name is used. The
// machine does not recurse, its allocations are bounded by the pickle's instructions, and their
// number is limited. Format: CPython's Lib/pickletools.py, protocols 2 to 5.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "hanok/weights/mapped_file.h"

namespace hanok::weights {
struct StorageRef;  // see torch_objects.h
struct TensorRef;
}  // namespace hanok::weights

namespace hanok::weights::pickle {

struct Value;
/// Values are owned by an Arena and may refer to each other, also in cycles.
using Ref = Value*;

struct None {};
/// An integer beyond 64 bits: its two's complement bytes, least significant first.
struct BigInteger {
  std::string bytes;
};
struct ByteString {
  std::string bytes;
};
struct Tuple {
  std::vector<Ref> items;
};
struct List {
  std::vector<Ref> items;
};
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;
};
/// A name of Python: "torch.FloatStorage".
struct Global {
  std::string name;
};
/// An object that is not data here: the result of calling a name that the Resolver does not know,
/// or an instance of a class. Never run.
struct Opaque {
  Ref type = nullptr;      // what was called: a Global, or an Opaque that a call gave
  Ref state = nullptr;     // the attributes that BUILD set; null if there are none
  Ref items = nullptr;     // a Dict of the items that were set; null if there are none
  Ref elements = nullptr;  // a List of what was appended; null if there is nothing
};

using Payload = std::variant<None, bool, std::int64_t, BigInteger, double, std::string, ByteString,
                             Tuple, List, Dict, Global, Opaque, std::shared_ptr<const StorageRef>,
                             std::shared_ptr<const TensorRef>>;

struct Value {
  Payload payload;
  template <typename T>
  const T* as() const {
    return std::get_if<T>(&payload);
  }
};

/// Owns values. Frees them without recursion, however deeply they nest.
class Arena {
 public:
  Ref add(Payload payload) { return &values_.emplace_back(Value{std::move(payload)}); }

 private:
  std::deque<Value> values_;
};

/// The meaning of names and persistent ids in a pickle. All functions throw FormatError.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// Throws if a file with this name is to be rejected whole.
  virtual void check(const std::string& global) const = 0;
  /// True if a call of the name gives data; a call of any other name gives an Opaque.
  virtual bool can_call(const std::string& global) const = 0;
  /// The result of calling such a name with `arguments`.
  virtual Payload call(const std::string& global, const Tuple& arguments) = 0;
  /// The object behind a persistent id (PyTorch: a storage).
  virtual Payload persistent(const Value& id) = 0;
};

/// The name of an opaque object's class or of the function that made it, for messages.
const std::string& type_name(const Opaque& object);

/// Runs one pickle at the start of `bytes`. Every message starts with `where` (file and entry).
class Machine {
 public:
  Machine(Bytes bytes, std::string where, Resolver& resolver, Arena& arena);
  /// The unpickled object. Throws FormatError naming a rejected global or the byte at which the
  /// pickle is invalid.
  Ref run();
  /// Bytes read by run(): data after the pickle starts here.
  std::size_t consumed() const { return at_; }

 private:
  /// Runs one instruction.
  void step(unsigned char opcode);
  void read_global(const std::string& module, const std::string& name);
  /// Calls `function`: what REDUCE and NEWOBJ do.
  void call(Ref function, Ref arguments);
  void build();
  void set_items(std::vector<Ref> flat);
  void append_items(std::vector<Ref> items);

  [[noreturn]] void fail(const std::string& what) const;
  void push(Payload payload) { stack_.push_back(arena_.add(std::move(payload))); }
  Ref pop();
  Ref top();
  /// Pops everything above the last mark, and the mark.
  std::vector<Ref> pop_to_mark();
  std::string take(std::uint64_t length);
  template <typename T>
  T take_integer();
  std::string take_line();
  const std::string& pop_text();
  /// The list or set that elements are appended to; null if the object is none.
  List* elements_of(Value& value);
  /// The dictionary that items are set in; null if the object is none.
  Dict* items_of(Value& value);
  void memo_put(std::uint64_t index);
  void memo_get(std::uint64_t index);

  Bytes bytes_;
  std::string where_;
  Resolver& resolver_;
  Arena& arena_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  bool stopped_ = false;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;  // stack heights
  std::unordered_map<std::uint64_t, Ref> memo_;
};

}  // namespace hanok::weights::pickle
