// Archives built from bytes: zip and tar files that are right up to what `patches` changes.
#pragma once

#include <string>
#include <vector>

#include "tests/fuzz/byte_source.h"

namespace hanok::fuzz {

struct Member {
  std::string name, content;
  bool deflated = false;  // zip only
};

/// A zip archive, checksums included. Its directory lies as the source says: it chooses fields of
/// the local headers, of the directory and of the end record, and what stands there instead.
std::string zip_of(const std::vector<Member>& members, ByteSource& lies);
/// Without lies.
std::string zip_of(const std::vector<Member>& members);
/// A tar archive, checksums included.
std::string tar_of(const std::vector<Member>& members);

/// The bytes of a deflate stream without header and checksum, as zip archives have it.
std::string raw_deflate(const std::string& content);

}  // namespace hanok::fuzz
