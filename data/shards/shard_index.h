// index.csv and classes.txt beside shards. Private to this room.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hanok/data/shards/shard_content.h"

namespace hanok::data {

constexpr const char* kShardIndex = "index.csv";
constexpr const char* kShardClasses = "classes.txt";

/// Samples by the shard's path, in the order of their places.
using ShardIndex = std::map<std::string, std::vector<ShardSample>>;

/// shard,member,offset,bytes,crc32,label,group: numbers in decimal, crc32 in 8 hexadecimal digits.
/// Throws FormatError naming file and line.
ShardIndex read_shard_index(const std::string& csv_path);
/// The table as text.
std::string shard_index_text(const ShardIndex& index);

/// Names of the classes, a line each; none if there is no such file. Throws FormatError naming file
/// and line for empty and repeated names.
std::vector<std::string> read_shard_classes(const std::string& path);

/// A checksum as index.csv has it, and back; empty if it is none.
std::string crc32_text(std::uint32_t crc32);
std::optional<std::uint32_t> crc32_in(const std::string& text);

}  // namespace hanok::data
