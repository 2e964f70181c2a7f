// A hash of a tensor's bytes that is as fast as reading them: tells contents apart, and is no
// protection against forgery.
//
// Eight lanes hash every eighth word of 64 bits: lane = (lane ^ word) * odd; lane ^= lane >> 32.
// Each step is a bijection of the lane, so a single changed word always changes the hash. The
// product carries low bits up, the shift high bits down. Eight lanes hide the product's latency (a
// byte at a time, as FNV-1a goes, takes about 1 ns a byte).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#pragma GCC visibility push(default)
namespace hanok {

/// Of `size` bytes after `before`, the hash of what came before them.
inline std::uint64_t content_hash(const void* bytes, std::size_t size, std::uint64_t before = 0) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
  constexpr std::size_t kLanes = 8;
  constexpr std::size_t kBlock = kLanes * sizeof(std::uint64_t);
  const auto mixed = [](std::uint64_t lane, std::uint64_t word) {
    lane = (lane ^ word) * kOdd;
    return lane ^ (lane >> 32);
  };
  std::array<std::uint64_t, kLanes> lanes{};
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = before + i;
  const auto* from = static_cast<const unsigned char*>(bytes);
  std::size_t left = size;
  for (; left >= kBlock; left -= kBlock, from += kBlock) {
    std::array<std::uint64_t, kLanes> words;
    std::memcpy(words.data(), from, kBlock);
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = mixed(lanes[i], words[i]);
  }
  std::array<std::uint64_t, kLanes> rest{};
  if (left > 0) std::memcpy(rest.data(), from, left);
  std::uint64_t hash = size;
  for (std::size_t i = 0; i < kLanes; ++i) hash = mixed(hash, mixed(lanes[i], rest[i]));
  return mixed(hash, hash >> 32);
}

}  // namespace hanok
#pragma GCC visibility pop
