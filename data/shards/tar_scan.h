// Reads through a tar archive once, from one regular file in it to the next. Private to this room.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "hanok/data/shards/archive_file.h"

struct archive;

namespace hanok::data {

struct TarMember {
  std::string name;  // relative, without "./" in front or ".." in it
  std::int64_t offset = 0, bytes = 0;
};

/// What is wrong with a member's name; empty if it is a file's in the folder.
std::string member_name_problem(const std::string& name);

class TarScan {
 public:
  /// Opens the uncompressed archive `path`. Throws IoError; FormatError as next().
  explicit TarScan(const std::string& path);

  /// The next regular file; false behind the last one. Throws FormatError that names the archive,
  /// the place and the member in front of it: for damage, an archive that ends too early, and names
  /// that leave the folder or are no text.
  bool next(TarMember& member);
  /// The content of the last member, which has at most `most` bytes. Throws FormatError.
  std::string text(std::int64_t most);
  /// Members that are no regular files, counted by reason.
  const std::map<std::string, std::int64_t>& skipped() const { return skipped_; }

 private:
  struct Closer {
    void operator()(archive* reader) const;
  };
  [[noreturn]] void fail(const std::string& what) const;
  void check_end() const;

  ArchiveFile file_;
  std::unique_ptr<archive, Closer> reader_;
  TarMember last_;
  std::map<std::string, std::int64_t> skipped_;
};

}  // namespace hanok::data
