#include "tests/fuzz/archives.h"

#include <array>
#include <zlib.h>

namespace hanok::fuzz {
namespace {

std::uint32_t crc_of(const std::string& content) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size()));
}

/// Numbers that readers compute with: limits of 16, 32 and 64 bits, and small ones.
std::uint64_t number_of(ByteSource& source) {
  static constexpr std::array<std::uint64_t, 6> kLimits = {
      0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0x80000000, 0};
  const std::size_t kind = source.below(8);
  if (kind < kLimits.size()) return kLimits[kind];
  return source.number(kind == 6 ? 1 : 4);
}

void lie(std::string& file, std::size_t from, ByteSource& lies) {
  static constexpr std::array<int, 3> kWidths = {2, 4, 8};
  for (std::size_t left = lies.below(5); left > 0; --left) {
    const int width = kWidths[lies.below(kWidths.size())];
    const std::size_t room = file.size() - from;
    // Counted from the end, where the directory is.
    const std::size_t back = lies.number(2) % room + 1;
    const std::string value = little_endian(number_of(lies), width);
    file.replace(file.size() - back, std::min<std::size_t>(value.size(), back), value, 0,
                 std::min<std::size_t>(value.size(), back));
  }
}

/// The zip64 end record and its locator.
std::string zip64_end(std::size_t count, std::size_t directory, std::size_t size) {
  return "PK\x06\x06" + little_endian(44, 8) + little_endian(0, 4) + little_endian(0, 8) +
         little_endian(count, 8) + little_endian(count, 8) + little_endian(size, 8) +
         little_endian(directory, 8) + "PK\x06\x07" + little_endian(0, 4) +
         little_endian(directory + size, 8) + little_endian(1, 4);
}

}  // namespace

std::string raw_deflate(const std::string& content) {
  z_stream stream{};
  ::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  std::string packed(::deflateBound(&stream, content.size()), '\0');
  std::string copy = content;
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ::deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

std::string zip_of(const std::vector<Member>& members, ByteSource& lies) {
  std::string file, directory;
  for (const Member& member : members) {
    const std::string stored = member.deflated ? raw_deflate(member.content) : member.content;
    const std::string common =
        little_endian(0, 2) + little_endian(member.deflated ? 8 : 0, 2) + little_endian(0, 4) +
        little_endian(crc_of(member.content), 4) + little_endian(stored.size(), 4) +
        little_endian(member.content.size(), 4) + little_endian(member.name.size(), 2);
    directory += "PK\x01\x02" + little_endian(0, 2) + little_endian(20, 2) + common +
                 little_endian(0, 12) + little_endian(file.size(), 4) + member.name;
    file +=
        "PK\x03\x04" + little_endian(20, 2) + common + little_endian(0, 2) + member.name + stored;
  }
  const std::size_t at = file.size();
  file += directory;
  if (lies.flag()) file += zip64_end(members.size(), at, directory.size());
  file += "PK\x05\x06" + little_endian(0, 4) + little_endian(members.size(), 2) +
          little_endian(members.size(), 2) + little_endian(directory.size(), 4) +
          little_endian(at, 4) + little_endian(0, 2);
  lie(file, 0, lies);
  return file;
}

std::string zip_of(const std::vector<Member>& members) {
  ByteSource none{Bytes{}};
  return zip_of(members, none);
}

std::string tar_of(const std::vector<Member>& members) {
  constexpr std::size_t kBlock = 512, kSizeAt = 124, kChecksumAt = 148, kTypeAt = 156;
  std::string file;
  for (const Member& member : members) {
    std::string header(kBlock, '\0');
    header.replace(0, std::min<std::size_t>(member.name.size(), 99), member.name, 0, 99);
    std::string size(11, '0');
    std::size_t left = member.content.size();
    for (std::size_t i = size.size(); i-- > 0; left /= 8) {
      size[i] = static_cast<char>('0' + left % 8);
    }
    header.replace(kSizeAt, size.size(), size);
    header[kTypeAt] = '0';
    header.replace(257, 5, "ustar");
    header.replace(kChecksumAt, 8, 8, ' ');
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    for (std::size_t i = 6; i-- > 0; sum /= 8) {
      header[kChecksumAt + i] = static_cast<char>('0' + sum % 8);
    }
    header[kChecksumAt + 6] = '\0';
    file += header + member.content;
    file.resize((file.size() + kBlock - 1) / kBlock * kBlock, '\0');
  }
  return file + std::string(2 * kBlock, '\0');
}

}  // namespace hanok::fuzz
