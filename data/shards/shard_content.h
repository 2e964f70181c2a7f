// The samples of one shard: members of one key that follow each other. Private to this room.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"

namespace hanok::data {

struct ShardSample {
  std::string member{};  // the image's name
  ShardMember place{};   // Without `shard`
  std::string label{};   // of KEY.json, else of KEY.cls; empty: neither states one
  std::string group{};   // of KEY.json; empty: none
};

struct ShardContent {
  std::vector<ShardSample> samples;
  std::map<std::string, std::int64_t> skipped;  // members, by reason
};

/// Reads through the archive `path` once. Throws IoError; FormatError that names the archive, the
/// member and the cause: see TarScan, members of one key that lie apart, two images or labels of
/// one key, and a .json that is none.
ShardContent read_shard(const std::string& path);

/// "a/b.c.jpg" -> "a/b": the name up to the first '.' behind its folder.
std::string shard_key(const std::string& member);

}  // namespace hanok::data
