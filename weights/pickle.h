// Reads pickles, the format of Python objects, as far as a state_dict needs it.
//
// A pickle is a program for a small stack machine. In Python its GLOBAL and REDUCE instructions can
// import and call anything, so an unknown .pth file can run code. Here these instructions only look
// names up in a Resolver's short list; every other name is rejected, and only the Resolver is ever
// called. The machine does not recurse, its allocations are bounded by the pickle's instructions,
// and their number is limited. Format: CPython's Lib/pickletools.py, protocols 2 to 5.
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
/// A name on the Resolver's list: "torch.FloatStorage".
struct Global {
  std::string name;
};
/// An object whose content is not needed (a torch.device).
struct Opaque {};

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
  /// True if the name is on the list; any other name makes the file invalid.
  virtual bool knows(const std::string& global) const = 0;
  /// The result of calling a listed name with `arguments`.
  virtual Payload call(const std::string& global, const Tuple& arguments) = 0;
  /// The object behind a persistent id (PyTorch: a storage).
  virtual Payload persistent(const Value& id) = 0;
};

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
  void reduce();
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
  std::string pop_text();
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
