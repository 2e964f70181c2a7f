// The quantisation tables of a JPEG file: how strongly it was compressed, and by which program.
#pragma once

#include <cstddef>
#include <cstdint>

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct JpegTables {
  int quality = 0;         // 1..100 as libjpeg counts: whose scaled tables are closest
  std::uint64_t hash = 0;  // of all tables before the first scan; programs differ in them
};

/// All 0 for a file that is no JPEG, or has no whole table before its first scan.
JpegTables read_jpeg_tables(const std::uint8_t* bytes, std::size_t size);

}  // namespace hanok::data_report
#pragma GCC visibility pop
