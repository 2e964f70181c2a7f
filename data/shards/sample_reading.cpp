// The bytes of one sample, from a file or from its place in a shard.
#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include "hanok/data/files.h"
#include "hanok/data/image.h"
#include "hanok/data/shards.h"
#include "hanok/data/shards/archive_file.h"
#include "hanok/data/shards/shard_content.h"
#include "hanok/data/shards/shard_index.h"
#include "hanok/data/shards/tar_header.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

void check_size(std::int64_t bytes, const std::string& name) {
  const std::int64_t most = DecodeLimits().max_bytes;
  if (bytes <= most) return;
  throw FormatError(fmt::format("{}: {} bytes, more than the limit of {}", name, bytes, most));
}

std::vector<std::uint8_t> read_member(const Dataset& dataset, std::size_t sample) {
  const ShardMember& member = *dataset.samples[sample].member;
  const std::string name = dataset.full_path(sample);
  check_size(member.bytes, name);
  const ArchiveFile shard(dataset.file_of(sample));
  if (member.offset < kTarBlock || member.offset > shard.size() - member.bytes) {
    throw FormatError(
        fmt::format("{}: ends at byte {} of a shard that has {}: the shard was cut off", name,
                    member.offset + member.bytes, shard.size()));
  }
  std::uint8_t header[kTarBlock];
  shard.read(member.offset - kTarBlock, header, sizeof header);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(member.bytes));
  shard.read(member.offset, bytes.data(), bytes.size());
  const std::string problem = header_problem(header, member.bytes);
  if (!problem.empty()) {
    throw FormatError(
        fmt::format("{}: byte {} of the shard: {}: the shard is damaged or was replaced", name,
                    member.offset, problem));
  }
  if (!member.crc32) return bytes;
  const auto checksum = static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
  if (checksum != *member.crc32) {
    throw FormatError(fmt::format(
        "{}: byte {} of the shard: its bytes have the checksum {}, recorded is {}: the shard is "
        "damaged or was replaced",
        name, member.offset, crc32_text(checksum), crc32_text(*member.crc32)));
  }
  return bytes;
}

}  // namespace

std::vector<std::uint8_t> read_sample(const Dataset& dataset, std::size_t sample) {
  if (dataset.samples[sample].member) return read_member(dataset, sample);
  const ArchiveFile file(dataset.full_path(sample));
  check_size(file.size(), file.path());
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(file.size()));
  file.read(0, bytes.data(), bytes.size());
  return bytes;
}

Image decode_whole_sample(const Dataset& dataset, std::size_t sample) {
  const std::string name = dataset.full_path(sample);
  if (!dataset.samples[sample].member) return decode_image_file(name);
  const std::vector<std::uint8_t> bytes = read_member(dataset, sample);
  return decode_image(bytes.data(), bytes.size(), name);
}

std::optional<std::int64_t> sample_bytes(const Dataset& dataset, std::size_t sample) {
  struct stat status {};
  if (::stat(dataset.file_of(sample).c_str(), &status) != 0) return {};
  const auto size = static_cast<std::int64_t>(status.st_size);
  const std::optional<ShardMember>& member = dataset.samples[sample].member;
  if (!member) return S_ISREG(status.st_mode) ? std::optional(size) : std::nullopt;
  if (member->offset > size - member->bytes) return {};
  return member->bytes;
}

std::vector<ShardImage> images_in_shard(const std::string& path) {
  std::vector<ShardImage> images;
  for (const ShardSample& sample : read_shard(path).samples) {
    images.push_back({sample.member, sample.place.offset, sample.place.bytes});
  }
  return images;
}

std::vector<std::string> shard_files(const std::string& folder) {
  std::map<std::string, std::int64_t> skipped;
  std::vector<std::string> compressed;
  return list_shards(folder, skipped, compressed);
}

std::optional<std::size_t> shard_part(const std::string& path) {
  constexpr std::size_t kEnding = 4;  // ".tar"
  for (std::size_t at = path.find(".tar/"); at != std::string::npos;
       at = path.find(".tar/", at + 1)) {
    struct stat status {};
    const std::string shard = path.substr(0, at + kEnding);
    if (::stat(shard.c_str(), &status) == 0 && S_ISREG(status.st_mode)) return shard.size();
  }
  return {};
}

}  // namespace hanok::data
