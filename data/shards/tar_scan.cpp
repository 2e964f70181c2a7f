#include "hanok/data/shards/tar_scan.h"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <new>
#include <string_view>
#include <vector>

#include "hanok/data/shards/tar_header.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

constexpr std::size_t kReadAtOnce = 16 << 10;  // images are mostly passed over

/// The compression that a file's first bytes tell of, and what undoes it; empty if they tell of
/// none.
std::string compression_of(const ArchiveFile& file) {
  struct Magic {
    std::string_view start;
    const char* hint;
  };
  static constexpr Magic kMagic[] = {
      {"\x1F\x8B", "gzip (gunzip)"},
      {"BZh", "bzip2 (bunzip2)"},
      {"\xFD"
       "7zXZ",
       "xz (unxz)"},
      {"\x28\xB5\x2F\xFD", "zstd (unzstd)"},
      {"\x04\x22\x4D\x18", "lz4 (unlz4)"},
  };
  std::array<char, 8> bytes{};
  const auto count = static_cast<std::size_t>(std::min<std::int64_t>(file.size(), bytes.size()));
  file.read(0, bytes.data(), count);
  for (const Magic& magic : kMagic) {
    if (std::string_view(bytes.data(), count).starts_with(magic.start)) return magic.hint;
  }
  return {};
}

/// The name as bytes: in the archive's own encoding, or UTF-8 where it states that.
std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  return name == nullptr ? std::string() : name;
}

std::string without_dot(std::string name) {
  while (name.starts_with("./")) {
    const std::size_t begin = name.find_first_not_of('/', 1);
    name.erase(0, begin);
  }
  return name;
}

}  // namespace

std::string member_name_problem(const std::string& name) {
  if (name.empty()) return "a member has no name";
  const std::filesystem::path parts(name);
  const bool leaves = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (parts.is_absolute() || leaves) {
    return fmt::format("the member's name '{}' leaves the folder", name);
  }
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 127;
  });
  if (has_control || name.back() == '/') return "a member's name is no file's";
  return {};
}

void TarScan::Closer::operator()(archive* reader) const { archive_read_free(reader); }

TarScan::TarScan(const std::string& path) : file_(path), reader_(archive_read_new()) {
  if (!reader_) throw std::bad_alloc();
  if (const std::string compression = compression_of(file_); !compression.empty()) {
    throw FormatError(fmt::format(
        "{}: is compressed by {}: images are read at their places in a shard, which must be "
        "uncompressed",
        path, compression));
  }
  if (file_.size() == 0) throw FormatError(path + ": is empty, no tar archive");
  archive_read_support_format_tar(reader_.get());
  if (archive_read_open_fd(reader_.get(), file_.descriptor(), kReadAtOnce) != ARCHIVE_OK) {
    fail(archive_error_string(reader_.get()));
  }
}

void TarScan::fail(const std::string& what) const {
  throw FormatError(fmt::format(
      "{}: damaged {}: {}", file_.path(),
      last_.name.empty()
          ? std::string("at its beginning")
          : fmt::format("at or behind byte {}, where '{}' begins", last_.offset, last_.name),
      what));
}

/// An archive ends with blocks of zeros, and nothing follows them.
void TarScan::check_end() const {
  std::vector<char> part(kReadAtOnce);
  const auto find_other = [&](std::int64_t at, std::size_t count) {
    file_.read(at, part.data(), count);
    const auto end = part.begin() + static_cast<std::ptrdiff_t>(count);
    const auto other = std::find_if(part.begin(), end, [](char byte) { return byte != 0; });
    return other == end ? std::int64_t{-1} : at + (other - part.begin());
  };
  // libarchive has read the block of zeros, or found the end of the file.
  const std::int64_t read =
      std::min<std::int64_t>(archive_filter_bytes(reader_.get(), 0), file_.size());
  const std::int64_t blocks = (last_.bytes + kTarBlock - 1) / kTarBlock;
  if (read - kTarBlock < last_.offset + blocks * kTarBlock ||
      find_other(read - kTarBlock, static_cast<std::size_t>(kTarBlock)) >= 0) {
    fail("it was cut off: the block of zeros at its end is missing");
  }
  for (std::int64_t at = read; at < file_.size();) {
    const auto count = static_cast<std::size_t>(
        std::min<std::int64_t>(file_.size() - at, static_cast<std::int64_t>(part.size())));
    if (const std::int64_t other = find_other(at, count); other >= 0) {
      fail(
          fmt::format("something follows its end at byte {}; archives that are joined must be "
                      "separate shards",
                      other));
    }
    at += static_cast<std::int64_t>(count);
  }
}

bool TarScan::next(TarMember& member) {
  for (;;) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(reader_.get(), &entry);
    if (result == ARCHIVE_EOF) {
      check_end();
      return false;
    }
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
      const char* problem = archive_error_string(reader_.get());
      fail(problem == nullptr ? "unknown damage" : problem);
    }
    const std::string name = without_dot(name_of(entry));
    const auto type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) != nullptr || type != AE_IFREG) {
      if (type != AE_IFDIR) ++skipped_["link or special file in a shard"];
      continue;
    }
    const std::string wrong = member_name_problem(name);
    if (!wrong.empty()) fail("behind it " + wrong);
    TarMember found{.name = name,
                    .offset = archive_filter_bytes(reader_.get(), 0),
                    .bytes = archive_entry_size(entry)};
    if (archive_entry_sparse_count(entry) > 0) {
      fail(fmt::format("'{}' is a sparse file, which is not read", name));
    }
    if (found.bytes < 0 || found.offset > file_.size() - found.bytes) {
      fail(fmt::format("'{}' has {} bytes, of which {} are there: the archive was cut off", name,
                       found.bytes, std::max<std::int64_t>(0, file_.size() - found.offset)));
    }
    std::array<std::uint8_t, kTarBlock> header{};
    file_.read(found.offset - kTarBlock, header.data(), header.size());
    const std::string problem = header_problem(header.data(), found.bytes);
    if (!problem.empty()) fail(fmt::format("'{}': {}", name, problem));
    last_ = found;
    member = std::move(found);
    return true;
  }
}

std::string TarScan::text(std::int64_t most) {
  if (last_.bytes > most) {
    throw FormatError(fmt::format("{}: '{}' has {} bytes, at most {} are read", file_.path(),
                                  last_.name, last_.bytes, most));
  }
  std::string content(static_cast<std::size_t>(last_.bytes), '\0');
  file_.read(last_.offset, content.data(), content.size());
  return content;
}

}  // namespace hanok::data
