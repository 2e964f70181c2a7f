// FNV-1a, 64 bits (Fowler, Noll and Vo): tells contents apart; no protection against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

class FnvHash {
 public:
  void add(const void* bytes, std::size_t size);
  void add(const std::string& text) { add(text.data(), text.size()); }
  std::uint64_t value() const { return hash_; }
  /// 16 hexadecimal digits.
  std::string hex() const;

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325U;
};

}  // namespace hanok::training
#pragma GCC visibility pop
