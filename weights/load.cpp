// weights::load(): detects a file's format by its first bytes, not by its name.
#include <algorithm>
#include <fmt/core.h>
#include <string_view>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/other_formats.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {
namespace {

/// A POSIX or GNU tar archive, or an older one without the magic (detected by PyTorch's member
/// name).
bool is_tar(Bytes bytes) {
  return bytes.size() >= 512 && (has_at(bytes, 257, "ustar") || has_at(bytes, 0, "storages") ||
                                 has_at(bytes, 0, "./storages"));
}

/// JSON text; safetensors begins with a length, which has zeros.
bool is_json(Bytes bytes) {
  return has_at(bytes, 0, "{") &&
         std::find(bytes.begin(), bytes.begin() + 8, 0) == bytes.begin() + 8;
}

[[noreturn]] void fail_unknown(const std::string& path, Bytes bytes) {
  std::string what = other_format(path, bytes);
  if (what.empty()) {
    const std::string start(
        bytes.begin(),
        bytes.begin() + std::min<std::ptrdiff_t>(8, static_cast<std::ptrdiff_t>(bytes.size())));
    what = "it starts with " + in_quotes(start);
  }
  throw FormatError(path + ": is neither a safetensors nor a PyTorch file: " + what);
}

}  // namespace

WeightFile load(const std::string& path, const std::vector<Rename>& renames) {
  const auto file = MappedFile::open(path);
  const Bytes bytes = file->bytes();
  if (has_at(bytes, 0, "PK\x03\x04") || has_at(bytes, 0, "PK\x05\x06"))
    return read_pth_zip(file, renames);
  if (is_tar(bytes)) return read_pth_tar(file, renames);
  if (has_at(bytes, 8, "{") && !is_json(bytes)) {
    WeightFile result = read_safetensors(file);
    rename_tensors(result.tensors, renames);
    return result;
  }
  if (bytes.size() >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) {
    return read_pth_legacy(file, renames);
  }
  fail_unknown(path, bytes);
}

}  // namespace hanok::weights
