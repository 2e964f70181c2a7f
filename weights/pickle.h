// Reads pickles, the format of Python objects, as far as a state_dict needs it.
//
// A pickle is a program for a small stack machine. In Python its GLOBAL and REDUCE instructions
// import anything and call it, which is why an unknown .pth file can run code. Here they only look
// names up in a short list held by a Resolver; every other name is refused, and nothing is ever
// called but the Resolver. The machine neither recurses nor allocates beyond what its instructions
// bring, and their number is limited.
// Format: CPython's Lib/pickletools.py, protocols 2 to 5.
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
/// Values belong to an Arena and may refer to each other in any way, also in circles.
using Ref = Value*;

struct None {};
/// An integer beyond 64 bits: its two's complement bytes, lowest first.
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
/// A name that the Resolver knows: "torch.FloatStorage".
struct Global {
  std::string name;
};
/// Something whose content nobody here needs (a torch.device).
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

/// Owns values. Freeing it needs no recursion, however deeply they nest.
class Arena {
 public:
  Ref add(Payload payload) { return &values_.emplace_back(Value{std::move(payload)}); }

 private:
  std::deque<Value> values_;
};

/// What the names and persistent ids in a pickle mean. Its functions throw FormatError.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// True if the name is on the list; every other one makes the file invalid.
  virtual bool knows(const std::string& global) const = 0;
  /// The result of calling a known name with `arguments`.
  virtual Payload call(const std::string& global, const Tuple& arguments) = 0;
  /// The object behind a persistent id (PyTorch: a storage).
  virtual Payload persistent(const Value& id) = 0;
};

/// Runs one pickle at the start of `bytes`. `where` (file and entry) begins every message.
class Machine {
 public:
  Machine(Bytes bytes, std::string where, Resolver& resolver, Arena& arena);
  /// The object. Throws FormatError naming a refused global or the byte at which the pickle is
  /// wrong.
  Ref run();
  /// Bytes read by run(): what follows the pickle starts here.
  std::size_t consumed() const { return at_; }

 private:
  void step(unsigned char opcode);
  void step_containers(unsigned char opcode);
  void step_text(unsigned char opcode);
  void step_numbers(unsigned char opcode);
  void step_memo(unsigned char opcode);
  void step_objects(unsigned char opcode);
  void read_global(const std::string& module, const std::string& name);
  void reduce();
  void build();
  void set_items(std::vector<Ref> flat);
  void append_items(std::vector<Ref> items);

  [[noreturn]] void fail(const std::string& what) const;
  void push(Payload payload) { stack_.push_back(arena_.add(std::move(payload))); }
  Ref pop();
  Ref top();
  /// Removes and returns everything above the last mark, and the mark.
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
