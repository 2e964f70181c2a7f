// The checksum that a safetensors file carries in its metadata.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)
namespace hanok::weights {

/// Its key in the metadata. Eight hexadecimal digits: the CRC-32 of the whole file (zlib's; the
/// polynomial of Ethernet), in which the digits themselves are zeros. It finds damage, no forgery.
inline constexpr std::string_view kChecksumKey = "hanok.crc32";

/// The sum over a file, part by part.
class Crc32 {
 public:
  void add(const void* bytes, std::size_t size);
  std::string hex() const;

 private:
  std::uint32_t value_ = 0;
};

/// Where the digits stand in a header that the writer made; npos where it carries none.
std::size_t find_checksum(std::string_view header);

/// Throws FormatError (file name first) if a safetensors file carries a checksum that is not its
/// content's: it was damaged, or changed by another program. Reads the whole file. Throws IoError.
void verify_checksum(const std::string& path);

}  // namespace hanok::weights
#pragma GCC visibility pop
