// Reads zip archives: stored (uncompressed) entries, as PyTorch writes them, without copying, and
// where the caller allows it compressed ones, as in Python's wheels.
//
// PyTorch omits sizes from the local headers and pads them so that data starts at multiples of 64
// bytes. So everything is taken from the central directory at the end of the file; of a local
// header only its length is used, after its name has been compared. Format: PKWARE APPNOTE.TXT 6.3,
// sections 4.3 and 4.4; zip64 in 4.3.14 and 4.5.3. Compression: "deflate", RFC 1951.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hanok/weights/mapped_file.h"

namespace hanok::weights {

struct ZipEntry {
  std::string name;
  std::uint64_t data_offset = 0;  // of the first byte of data, in the file
  std::uint64_t size = 0;         // bytes
  std::uint64_t stored_size = 0;  // bytes in the file; less than `size` if compressed
  bool compressed = false;
  std::uint32_t crc32 = 0;  // 0: none stored
};

class ZipReader {
 public:
  enum class Compression { Refused, Allowed };
  /// Reads and checks the directory. Throws FormatError naming the file and the entry for anything
  /// truncated, compressed (unless allowed), encrypted, overlapping, duplicated or out of range.
  explicit ZipReader(std::shared_ptr<const MappedFile> file,
                     Compression compression = Compression::Refused);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// Null if missing.
  const ZipEntry* find(const std::string& name) const;
  /// A stored entry's data in the mapping, checksum verified. Throws FormatError naming the entry
  /// if it is wrong.
  Bytes checked_bytes(const ZipEntry& entry) const;
  /// A copy of any entry's data, uncompressed, checksum verified. Throws FormatError as above, and
  /// for one of more than 16 MiB that takes less than a 64th of that in the file.
  std::vector<unsigned char> read(const ZipEntry& entry) const;
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  [[noreturn]] void fail(const ZipEntry& entry, const std::string& what) const;
  void check_sum(const ZipEntry& entry, Bytes bytes) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace hanok::weights
