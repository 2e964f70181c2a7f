// Turns bytes into choices and numbers, so that a target can build a file of a certain form from
// them. Behind the end there are zeros: every sequence of bytes means something.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace hanok::fuzz {

using Bytes = std::span<const unsigned char>;

inline std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteSource {
 public:
  explicit ByteSource(Bytes bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }
  unsigned char byte() {
    if (left_.empty()) return 0;
    const unsigned char first = left_[0];
    left_ = left_.subspan(1);
    return first;
  }
  /// A little-endian number of so many bytes.
  std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }
  /// 0 to count - 1; `count` is at most 256.
  std::size_t below(std::size_t count) { return byte() % count; }
  bool flag() { return (byte() & 1) != 0; }
  /// The next bytes, fewer at the end.
  Bytes take(std::size_t count) {
    const Bytes taken = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  /// A length (one byte), then so many bytes.
  std::string text() { return text_of(take(byte())); }
  Bytes rest() { return take(left_.size()); }

 private:
  Bytes left_;
};

/// `value` in so many bytes, the lowest first.
inline std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(i < 8 ? value >> (8 * i) & 0xFF : 0);
  }
  return text;
}

}  // namespace hanok::fuzz
