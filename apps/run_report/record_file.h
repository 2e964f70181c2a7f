// TFRecord files: what TensorBoard's event files are made of. Each record is
//   length (8 bytes, little endian) | masked CRC of these 8 | the bytes | masked CRC of the bytes
// with CRC-32C (Castagnoli), as tensorflow/core/lib/io/record_writer.h describes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// CRC-32C: polynomial 0x1EDC6F41 reflected, begun with and ended by inverted bits (RFC 3720,
/// appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

/// The CRC rotated by 15 bits plus a constant: so that a CRC over bytes that hold CRCs is sound.
std::uint32_t masked_crc32c(std::string_view bytes);

/// The bytes as one record.
std::string to_record(std::string_view bytes);

struct Records {
  std::vector<std::string> records{};  // up to the first that is damaged or truncated
  std::string problem{};               // what is wrong with that one; empty: all are whole
};
/// The records of a file's content, in order.
Records read_records(std::string_view content);

}  // namespace hanok::run_report
#pragma GCC visibility pop
