// Segments and tables as ITU-T T.81 (B.2.4.1) has them; standard tables from its annex K.
#include "hanok/apps/data_report/jpeg_tables.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <vector>

#include "hanok/apps/run/fnv_hash.h"

namespace hanok::data_report {
namespace {

using Table = std::array<int, 64>;  // rows of the 8x8 coefficients

constexpr Table kLuminance = {
    16, 11, 10, 16, 24,  40,  51,  61,   //
    12, 12, 14, 19, 26,  58,  60,  55,   //
    14, 13, 16, 24, 40,  57,  69,  56,   //
    14, 17, 22, 29, 51,  87,  80,  62,   //
    18, 22, 37, 56, 68,  109, 103, 77,   //
    24, 35, 55, 64, 81,  104, 113, 92,   //
    49, 64, 78, 87, 103, 121, 120, 101,  //
    72, 92, 95, 98, 112, 100, 103, 99,
};
constexpr Table kChrominance = {
    17, 18, 24, 47, 99, 99, 99, 99,  //
    18, 21, 26, 66, 99, 99, 99, 99,  //
    24, 26, 56, 99, 99, 99, 99, 99,  //
    47, 66, 99, 99, 99, 99, 99, 99,  //
    99, 99, 99, 99, 99, 99, 99, 99,  //
    99, 99, 99, 99, 99, 99, 99, 99,  //
    99, 99, 99, 99, 99, 99, 99, 99,  //
    99, 99, 99, 99, 99, 99, 99, 99,
};

/// Where the i-th number of a stored table belongs: files hold them along the diagonals.
constexpr Table kZigzag = {
    0,  1,  8,  16, 9,  2,  3,  10,  //
    17, 24, 32, 25, 18, 11, 4,  5,   //
    12, 19, 26, 33, 40, 48, 41, 34,  //
    27, 20, 13, 6,  7,  14, 21, 28,  //
    35, 42, 49, 56, 57, 50, 43, 36,  //
    29, 22, 15, 23, 30, 37, 44, 51,  //
    58, 59, 52, 45, 38, 31, 39, 46,  //
    53, 60, 61, 54, 47, 55, 62, 63,
};

/// Tables by their number in the file: 0 is used for luma, 1 for chroma, by nearly all programs.
std::map<int, Table> read_tables(const std::uint8_t* bytes, std::size_t size) {
  std::map<int, Table> tables;
  if (size < 4 || bytes[0] != 0xFF || bytes[1] != 0xD8) return tables;
  std::size_t at = 2;
  while (at + 4 <= size && bytes[at] == 0xFF) {
    const int marker = bytes[at + 1];
    if (marker == 0xFF) {  // padding before a marker
      ++at;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) break;
    const std::size_t length = static_cast<std::size_t>(bytes[at + 2]) << 8 | bytes[at + 3];
    const std::size_t end = std::min(size, at + 2 + length);
    if (marker == 0xDB) {
      for (std::size_t in = at + 4; in < end;) {
        const int wide = bytes[in] >> 4;  // 1: two bytes a number
        const int number = bytes[in] & 15;
        const std::size_t table_bytes = wide != 0 ? 128 : 64;
        if (in + 1 + table_bytes > end) break;
        const std::uint8_t* values = bytes + in + 1;
        for (std::size_t i = 0; i < 64; ++i) {
          const int value = wide != 0 ? values[2 * i] << 8 | values[2 * i + 1] : values[i];
          tables[number][static_cast<std::size_t>(kZigzag[i])] = value;
        }
        in += 1 + table_bytes;
      }
    }
    at += 2 + std::max<std::size_t>(length, 2);
  }
  return tables;
}

/// libjpeg's jpeg_set_quality.
int scaled(int base, int quality) {
  const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return std::clamp((base * scale + 50) / 100, 1, 255);
}

int closest_quality(const std::map<int, Table>& tables) {
  int best = 0;
  std::int64_t least = 0;
  // From the best one down: where tables of several qualities are equal, the highest.
  for (int quality = 100; quality >= 1; --quality) {
    std::int64_t difference = 0;
    for (const auto& [number, table] : tables) {
      const Table& standard = number == 0 ? kLuminance : kChrominance;
      for (std::size_t i = 0; i < 64; ++i) {
        difference += std::abs(table[i] - scaled(standard[i], quality));
      }
    }
    if (best == 0 || difference < least) {
      best = quality;
      least = difference;
    }
  }
  return best;
}

/// Over the tables' numbers and values.
std::uint64_t hash_of(const std::map<int, Table>& tables) {
  training::FnvHash hash;
  for (const auto& [number, table] : tables) {
    hash.add(&number, sizeof number);
    hash.add(table.data(), sizeof table);
  }
  return hash.value();
}

}  // namespace

JpegTables read_jpeg_tables(const std::uint8_t* bytes, std::size_t size) {
  const std::map<int, Table> tables = read_tables(bytes, size);
  if (tables.empty()) return {};
  return {.quality = closest_quality(tables), .hash = hash_of(tables)};
}

}  // namespace hanok::data_report
