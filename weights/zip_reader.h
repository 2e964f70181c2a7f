// Reads zip archives of stored (uncompressed) entries, as PyTorch writes them, without copying.
//
// PyTorch omits sizes from the local headers and pads them so that data starts at multiples of 64
// bytes. So everything is taken from the central directory at the end of the file; of a local
// header only its length is used, after its name has been compared. Format: PKWARE APPNOTE.TXT 6.3,
// sections 4.3 and 4.4; zip64 in 4.3.14 and 4.5.3.
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
  std::uint32_t crc32 = 0;        // 0: none stored
};

class ZipReader {
 public:
  /// Reads and checks the directory. Throws FormatError naming the file and the entry for anything
  /// truncated, compressed, encrypted, overlapping, duplicated or out of range.
  explicit ZipReader(std::shared_ptr<const MappedFile> file);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// Null if missing.
  const ZipEntry* find(const std::string& name) const;
  /// The entry's data in the mapping, checksum verified. Throws FormatError naming the entry if it
  /// is wrong.
  Bytes checked_bytes(const ZipEntry& entry) const;
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace hanok::weights
