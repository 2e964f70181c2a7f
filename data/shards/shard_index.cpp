#include "hanok/data/shards/shard_index.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <set>

#include "hanok/data/csv.h"
#include "hanok/data/image_files.h"
#include "hanok/data/shards/tar_header.h"
#include "hanok/data/shards/tar_scan.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

class IndexReader {
 public:
  explicit IndexReader(const std::string& csv_path)
      : csv_(read_csv(csv_path)),
        shard_(csv_.column("shard")),
        member_(csv_.column("member")),
        offset_(csv_.column("offset")),
        bytes_(csv_.column("bytes")),
        crc32_(csv_.column("crc32")),
        label_(csv_.column("label")),
        group_(csv_.column("group")) {}

  ShardIndex read() const {
    ShardIndex index;
    for (std::size_t row = 0; row < csv_.rows.size(); ++row) {
      index[shard(row)].push_back(sample(row));
    }
    for (auto& [shard, samples] : index) {
      std::stable_sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) {
        return a.place.offset < b.place.offset;
      });
      std::set<std::string> members;
      for (const ShardSample& sample : samples) {
        if (members.insert(sample.member).second) continue;
        throw FormatError(
            fmt::format("{}: '{}' occurs twice in {}", csv_.path, sample.member, shard));
      }
    }
    return index;
  }

 private:
  [[noreturn]] void fail(std::size_t row, const std::string& what) const {
    throw FormatError(fmt::format("{}:{}: {}", csv_.path, csv_.lines[row], what));
  }

  const std::string& cell(std::size_t row, std::size_t column) const {
    return csv_.rows[row][column];
  }

  std::int64_t number(std::size_t row, std::size_t column) const {
    const std::string& text = cell(row, column);
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= 0) return value;
    fail(row, fmt::format("{} is '{}', expected a number", csv_.header[column], text));
  }

  std::string shard(std::size_t row) const {
    const std::string& name = cell(row, shard_);
    const std::string wrong = member_name_problem(name);
    if (!wrong.empty() || !name.ends_with(".tar")) {
      fail(row, fmt::format("shard is '{}', expected the name of a .tar in this folder", name));
    }
    return name;
  }

  ShardSample sample(std::size_t row) const {
    ShardSample sample{
        .member = cell(row, member_), .label = cell(row, label_), .group = cell(row, group_)};
    const std::string wrong = member_name_problem(sample.member);
    if (!wrong.empty()) fail(row, wrong);
    sample.place.offset = number(row, offset_);
    sample.place.bytes = number(row, bytes_);
    constexpr std::int64_t kFarthest = std::numeric_limits<std::int64_t>::max() / 4;
    if (sample.place.offset < kTarBlock || sample.place.offset % kTarBlock != 0 ||
        sample.place.offset > kFarthest || sample.place.bytes > kFarthest) {
      fail(row, fmt::format("no member of an archive has {} bytes at {}", sample.place.bytes,
                            sample.place.offset));
    }
    sample.place.crc32 = crc32_in(cell(row, crc32_));
    if (!sample.place.crc32 && !cell(row, crc32_).empty()) {
      fail(row, fmt::format("crc32 is '{}', expected 8 hexadecimal digits", cell(row, crc32_)));
    }
    return sample;
  }

  Csv csv_;
  std::size_t shard_, member_, offset_, bytes_, crc32_, label_, group_;
};

}  // namespace

ShardIndex read_shard_index(const std::string& csv_path) { return IndexReader(csv_path).read(); }

std::string shard_index_text(const ShardIndex& index) {
  std::string text = "shard,member,offset,bytes,crc32,label,group\n";
  for (const auto& [shard, samples] : index) {
    for (const ShardSample& sample : samples) {
      text += fmt::format("{},{},{},{},{},{},{}\n", csv_field(shard), csv_field(sample.member),
                          sample.place.offset, sample.place.bytes,
                          sample.place.crc32 ? crc32_text(*sample.place.crc32) : "",
                          csv_field(sample.label), csv_field(sample.group));
    }
  }
  return text;
}

std::vector<std::string> read_shard_classes(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(path + ": cannot be opened");
  std::vector<std::string> names;
  std::set<std::string> known;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) {
      throw FormatError(
          fmt::format("{}:{}: is empty, expected the name of a class", path, names.size() + 1));
    }
    if (!known.insert(line).second) {
      throw FormatError(fmt::format("{}:{}: '{}' occurs twice", path, names.size() + 1, line));
    }
    names.push_back(std::move(line));
  }
  return names;
}

std::string crc32_text(std::uint32_t crc32) { return fmt::format("{:08x}", crc32); }

std::optional<std::uint32_t> crc32_in(const std::string& text) {
  constexpr std::size_t kDigits = 8;
  constexpr int kBase = 16;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, kBase);
  if (text.size() != kDigits || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace hanok::data
