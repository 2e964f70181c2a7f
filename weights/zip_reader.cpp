#include "hanok/weights/zip_reader.h"

#include <algorithm>
#include <fmt/core.h>
#include <string_view>
#include <utility>
#include <zlib.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"

namespace hanok::weights {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;         // "PK\3\4"
constexpr std::uint32_t kCentralHeader = 0x02014b50;       // "PK\1\2"
constexpr std::uint32_t kEndRecord = 0x06054b50;           // "PK\5\6"
constexpr std::uint32_t kEndRecord64 = 0x06064b50;         // "PK\6\6"
constexpr std::uint32_t kEndRecord64Locator = 0x07064b50;  // "PK\6\7"
constexpr std::size_t kLocalHeaderSize = 30;
constexpr std::size_t kCentralHeaderSize = 46;
constexpr std::size_t kEndRecordSize = 22;
constexpr std::size_t kEndRecord64Size = 56;
constexpr std::size_t kLocatorSize = 20;
constexpr std::size_t kLongestComment = 0xFFFF;
constexpr std::uint32_t kSaturated32 = 0xFFFFFFFF;  // "see the zip64 field"
constexpr std::uint64_t kLargest32 = 0xFFFFFFFF;
constexpr std::uint16_t kZip64Field = 0x0001;
constexpr std::uint16_t kEncryptedFlag = 0x0001;
constexpr std::uint16_t kStored = 0, kDeflate = 8;  // methods
// Deflate cannot make more bytes of one: a length of 258 takes at least two bits.
constexpr std::uint64_t kMostExpansion = 1032;
// Weights are mostly noise: what is read may be so many times its stored size and no more, beyond
// a size that is harmless in any case.
constexpr std::uint64_t kMostReadExpansion = 64;
constexpr std::uint64_t kAlwaysReadBytes = 16 << 20;

/// Position of the central directory and number of its entries.
struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t entries = 0;
};

class DirectoryParser {
 public:
  DirectoryParser(const MappedFile& file, ZipReader::Compression compression)
      : path_(file.path()), bytes_(file.bytes()), compression_(compression) {}

  std::vector<ZipEntry> parse() {
    const Directory directory = find_directory();
    // Each entry takes at least a header, so this limits what is allocated below.
    if (directory.entries > directory.size / kCentralHeaderSize) {
      fail(fmt::format("the zip directory of {} bytes cannot hold {} entries", directory.size,
                       directory.entries));
    }
    std::vector<ZipEntry> entries;
    entries.reserve(directory.entries);
    std::uint64_t at = directory.offset;
    const std::uint64_t end = directory.offset + directory.size;
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
      entries.push_back(parse_entry(at, end, directory.offset));
    }
    if (at != end) fail("the zip directory has bytes after its last entry");
    check_overlaps();
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", path_, what));
  }
  [[noreturn]] void fail_entry(const std::string& name, const std::string& what) const {
    throw FormatError(fmt::format("{}: entry {}: {}", path_, in_quotes(name), what));
  }
  std::uint16_t u16(std::uint64_t at) const {
    return read_little_endian<std::uint16_t>(bytes_, at);
  }
  std::uint32_t u32(std::uint64_t at) const {
    return read_little_endian<std::uint32_t>(bytes_, at);
  }
  std::uint64_t u64(std::uint64_t at) const {
    return read_little_endian<std::uint64_t>(bytes_, at);
  }
  std::string text(std::uint64_t at, std::size_t length) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + at, length};
  }

  Directory find_directory() const {
    const std::uint64_t end = find_end_record();
    Directory directory{u32(end + 16), u32(end + 12), u16(end + 10)};
    std::uint64_t directory_limit = end;
    bool single_disk = u16(end + 4) == 0 && u16(end + 6) == 0 && u16(end + 8) == u16(end + 10);
    if (end >= kLocatorSize && u32(end - kLocatorSize) == kEndRecord64Locator) {
      const std::uint64_t record = u64(end - kLocatorSize + 8);
      if (!range_fits(record, kEndRecord64Size, end - kLocatorSize) ||
          u32(record) != kEndRecord64) {
        fail("the zip64 end record is not where its locator says");
      }
      single_disk =
          u32(record + 16) == 0 && u32(record + 20) == 0 && u64(record + 24) == u64(record + 32);
      directory = {u64(record + 48), u64(record + 40), u64(record + 32)};
      directory_limit = record;
    }
    if (!single_disk) fail("zip archives in several parts are not supported");
    if (!range_fits(directory.offset, directory.size, directory_limit)) {
      fail(fmt::format("the zip directory (offset {}, {} bytes) lies outside the file of {} bytes",
                       directory.offset, directory.size, bytes_.size()));
    }
    return directory;
  }

  /// The end record is at the very end, followed only by a comment of the stated length.
  std::uint64_t find_end_record() const {
    const std::size_t size = bytes_.size();
    for (std::size_t comment = 0; comment <= kLongestComment; ++comment) {
      if (size < kEndRecordSize + comment) break;
      const std::size_t at = size - kEndRecordSize - comment;
      if (u32(at) == kEndRecord && u16(at + 20) == comment) return at;
    }
    fail("the zip directory at the end is missing: the file is truncated or not a zip archive");
  }

  ZipEntry parse_entry(std::uint64_t& at, std::uint64_t end, std::uint64_t data_limit) {
    if (!range_fits(at, kCentralHeaderSize, end) || u32(at) != kCentralHeader) {
      fail(fmt::format("the zip directory is damaged at byte {}", at));
    }
    const std::size_t name_length = u16(at + 28);
    const std::size_t extra_length = u16(at + 30);
    const std::size_t total = kCentralHeaderSize + name_length + extra_length + u16(at + 32);
    if (!range_fits(at, total, end)) {
      fail(fmt::format("the zip directory is truncated at byte {}", at));
    }
    ZipEntry entry;
    entry.name = text(at + kCentralHeaderSize, name_length);
    entry.crc32 = u32(at + 16);
    entry.stored_size = u32(at + 20);
    entry.size = u32(at + 24);
    std::uint64_t local = u32(at + 42);
    read_zip64_field(entry.name, at + kCentralHeaderSize + name_length, extra_length, entry.size,
                     entry.stored_size, local);
    if ((u16(at + 8) & kEncryptedFlag) != 0) fail_entry(entry.name, "is encrypted");
    check_method(entry, u16(at + 10));
    locate_data(entry, local, data_limit);
    at += total;
    return entry;
  }

  void check_method(ZipEntry& entry, std::uint16_t method) const {
    entry.compressed = method != kStored;
    if (entry.compressed && compression_ == ZipReader::Compression::Refused) {
      fail_entry(entry.name, fmt::format("is compressed (method {}); PyTorch stores entries "
                                         "uncompressed",
                                         method));
    }
    if (method != kStored && method != kDeflate) {
      fail_entry(entry.name, fmt::format("is compressed by method {}; only deflate (method {}) is "
                                         "supported",
                                         method, kDeflate));
    }
    if (!entry.compressed && entry.stored_size != entry.size) {
      fail_entry(entry.name, fmt::format("is stored but has two sizes, {} and {} bytes",
                                         entry.stored_size, entry.size));
    }
    if (entry.compressed && entry.size / kMostExpansion > entry.stored_size) {
      fail_entry(entry.name, fmt::format("its {} bytes cannot hold the {} that it claims",
                                         entry.stored_size, entry.size));
    }
  }

  /// Replaces the values that did not fit into 32 bits. The zip64 field contains only those, in
  /// this order.
  void read_zip64_field(const std::string& name, std::uint64_t extra, std::size_t length,
                        std::uint64_t& size, std::uint64_t& stored, std::uint64_t& local) const {
    std::vector<std::uint64_t*> wanted;
    for (std::uint64_t* value : {&size, &stored, &local}) {
      if (*value == kSaturated32) wanted.push_back(value);
    }
    if (wanted.empty()) return;
    const std::uint64_t end = extra + length;
    while (range_fits(extra, 4, end)) {
      const std::uint16_t id = u16(extra);
      const std::uint64_t field = extra + 4;
      const std::size_t field_length = u16(extra + 2);
      if (!range_fits(field, field_length, end)) break;
      if (id == kZip64Field && field_length >= 8 * wanted.size()) {
        for (std::size_t i = 0; i < wanted.size(); ++i) *wanted[i] = u64(field + 8 * i);
        return;
      }
      extra = field + field_length;
    }
    fail_entry(name, "is missing the zip64 field that its sizes refer to");
  }

  void locate_data(ZipEntry& entry, std::uint64_t local, std::uint64_t data_limit) {
    if (!range_fits(local, kLocalHeaderSize, data_limit) || u32(local) != kLocalHeader) {
      fail_entry(entry.name, fmt::format("has no local header at byte {}", local));
    }
    const std::size_t name_length = u16(local + 26);
    const std::uint64_t header = kLocalHeaderSize + name_length + u16(local + 28);
    if (!range_fits(local, header, data_limit)) {
      fail_entry(entry.name, "has a truncated local header");
    }
    if (text(local + kLocalHeaderSize, name_length) != entry.name) {
      fail_entry(entry.name, "is called " + in_quotes(text(local + kLocalHeaderSize, name_length)) +
                                 " in its local header");
    }
    entry.data_offset = local + header;
    if (!range_fits(entry.data_offset, entry.stored_size, data_limit)) {
      fail_entry(entry.name, fmt::format("its {} bytes at offset {} do not fit before the zip "
                                         "directory at {}",
                                         entry.stored_size, entry.data_offset, data_limit));
    }
    extents_.push_back({local, entry.data_offset + entry.stored_size, entry.name});
  }

  void check_overlaps() {
    std::sort(extents_.begin(), extents_.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < extents_.size(); ++i) {
      if (extents_[i].begin < extents_[i - 1].end) {
        fail_entry(extents_[i].name, "overlaps entry " + in_quotes(extents_[i - 1].name));
      }
    }
  }

  struct Extent {
    std::uint64_t begin, end;  // from the local header to the last byte of data
    std::string name;
  };
  const std::string& path_;
  Bytes bytes_;
  ZipReader::Compression compression_;
  std::vector<Extent> extents_;
};

}  // namespace

ZipReader::ZipReader(std::shared_ptr<const MappedFile> file, Compression compression)
    : file_(std::move(file)) {
  entries_ = DirectoryParser(*file_, compression).parse();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (!index_.emplace(entries_[i].name, i).second) {
      throw FormatError(
          fmt::format("{}: entry {}: duplicate name", file_->path(), in_quotes(entries_[i].name)));
    }
  }
}

const ZipEntry* ZipReader::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

void ZipReader::fail(const ZipEntry& entry, const std::string& what) const {
  throw FormatError(fmt::format("{}: entry {}: {}", file_->path(), in_quotes(entry.name), what));
}

void ZipReader::check_sum(const ZipEntry& entry, Bytes bytes) const {
  if (entry.crc32 == 0) return;  // PyTorch writes 0 if it did not compute a checksum
  const auto found = static_cast<std::uint32_t>(::crc32_z(0, bytes.data(), bytes.size()));
  if (found == entry.crc32) return;
  fail(entry, fmt::format("wrong checksum (CRC-32 {:08x}, the directory says {:08x}): the file is "
                          "damaged",
                          found, entry.crc32));
}

Bytes ZipReader::checked_bytes(const ZipEntry& entry) const {
  if (entry.compressed) fail(entry, "is compressed");
  const Bytes bytes = file_->bytes().subspan(entry.data_offset, entry.size);
  check_sum(entry, bytes);
  return bytes;
}

std::vector<unsigned char> ZipReader::read(const ZipEntry& entry) const {
  if (!entry.compressed) {
    const Bytes bytes = checked_bytes(entry);
    return {bytes.begin(), bytes.end()};
  }
  // zlib counts in 32 bits.
  if (entry.size > kLargest32 || entry.stored_size > kLargest32) {
    fail(entry, "is compressed and has 4 GB or more");
  }
  if (entry.size > kAlwaysReadBytes && entry.size / kMostReadExpansion > entry.stored_size) {
    fail(entry, fmt::format("its {} bytes make {}, more than {} times as many", entry.stored_size,
                            entry.size, kMostReadExpansion));
  }
  std::vector<unsigned char> bytes(entry.size);
  z_stream stream{};
  // Without the header and checksum of zlib's own format.
  if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail(entry, "zlib cannot be started");
  const Bytes stored = file_->bytes().subspan(entry.data_offset, entry.stored_size);
  stream.next_in = const_cast<unsigned char*>(stored.data());  // NOLINT(*-const-cast): only read
  stream.avail_in = static_cast<uInt>(stored.size());
  unsigned char none = 0;  // zlib wants a place even for no bytes
  stream.next_out = bytes.empty() ? &none : bytes.data();
  stream.avail_out = static_cast<uInt>(bytes.size());
  const int status = ::inflate(&stream, Z_FINISH);
  const bool complete = status == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
  ::inflateEnd(&stream);
  if (!complete) {
    fail(entry, fmt::format("its {} compressed bytes do not make {}: the file is damaged",
                            entry.stored_size, entry.size));
  }
  check_sum(entry, bytes);
  return bytes;
}

}  // namespace hanok::weights
