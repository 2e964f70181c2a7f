// weights::load(): detects a file's format by its first bytes, not by its name.
#include <algorithm>
#include <fmt/core.h>
#include <string_view>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {
namespace {

bool has_at(Bytes bytes, std::size_t at, std::string_view text) {
  return range_fits(at, text.size(), bytes.size()) &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

/// A POSIX or GNU tar archive, or an older one without the magic (detected by PyTorch's member
/// name).
bool is_tar(Bytes bytes) {
  return bytes.size() >= 512 && (has_at(bytes, 257, "ustar") || has_at(bytes, 0, "storages") ||
                                 has_at(bytes, 0, "./storages"));
}

[[noreturn]] void fail_unknown(const std::string& path, Bytes bytes) {
  std::string hint;
  if (bytes.empty()) {
    hint = ": it is empty";
  } else if (has_at(bytes, 0, "version https://git-lfs")) {
    hint = ": it is a Git LFS pointer, not the file itself";
  } else if (has_at(bytes, 0, "<")) {
    hint = ": it looks like a web page";
  } else {
    const std::string start(
        bytes.begin(),
        bytes.begin() + std::min<std::ptrdiff_t>(8, static_cast<std::ptrdiff_t>(bytes.size())));
    hint = ": it starts with " + in_quotes(start);
  }
  throw FormatError(path + ": is neither a safetensors nor a PyTorch file" + hint);
}

}  // namespace

WeightFile load(const std::string& path) {
  const auto file = MappedFile::open(path);
  const Bytes bytes = file->bytes();
  if (has_at(bytes, 0, "PK\x03\x04") || has_at(bytes, 0, "PK\x05\x06")) return read_pth_zip(file);
  if (is_tar(bytes)) return read_pth_tar(file);
  if (has_at(bytes, 8, "{")) return read_safetensors(file);
  if (bytes.size() >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) {
    return read_pth_legacy(file);
  }
  fail_unknown(path, bytes);
}

}  // namespace hanok::weights
