// Reads safetensors: 8 bytes with the length of a JSON header, the header, then all elements. The
// header maps each name to {"dtype", "shape", "data_offsets": [begin, end]} with offsets counted
// from the end of the header; "__metadata__" maps strings to strings. Tensors fill the rest of the
// file without gaps or overlaps, row-major. Format: the README of huggingface/safetensors.
#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"
#include "hanok/weights/safetensors_names.h"
#include "hanok/weights/tensor_window.h"

namespace hanok::weights {
namespace {

constexpr std::uint64_t kLongestHeader = 100'000'000;  // bytes, as in the reference library

/// One tensor as the header describes it.
struct HeaderEntry {
  std::string name;
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

/// Collects the header's entries during parsing, so that the order of names is kept and duplicate
/// names or fields are detected. An error ends the parse and is kept in `problem`.
class HeaderParser : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
  std::string problem;

  bool key(string_t& key) override {
    if (depth_ == 1) {
      if (!names_.insert(key).second) return fail(in_quotes(key) + " is a duplicate name");
      in_metadata_ = key == kMetadataName;
      if (!in_metadata_) entries.push_back({key, {}, {}, {}});
      return true;
    }
    field_ = key;
    if (in_metadata_) {
      return metadata.count(key) == 0 || fail("metadata " + in_quotes(key) + " is a duplicate");
    }
    const HeaderEntry& entry = entries.back();
    if ((key == "dtype" && entry.dtype) || (key == "shape" && entry.shape) ||
        (key == "data_offsets" && entry.offsets)) {
      return fail_entry("duplicate field " + in_quotes(key));
    }
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return fail_entry("unknown field " + in_quotes(key));
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (++depth_ > 2 || in_array_) return fail_here("an unexpected object");
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || field_ == "dtype") {
      return fail_here("an unexpected array");
    }
    in_array_ = true;
    (field_ == "shape" ? entries.back().shape : entries.back().offsets).emplace();
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) return fail_here("an unexpected number");
    (field_ == "shape" ? entries.back().shape : entries.back().offsets)->push_back(value);
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[field_] = value;
    } else if (depth_ == 2 && !in_array_ && field_ == "dtype") {
      entries.back().dtype = value;
    } else {
      return fail_here("an unexpected string");
    }
    return true;
  }
  bool number_integer(number_integer_t value) override {
    return fail_here(fmt::format("{} is negative", value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return fail_here(in_quotes(text) + " is not a 64-bit integer");
  }
  bool boolean(bool) override { return fail_here("an unexpected boolean"); }
  bool null() override { return fail_here("an unexpected null"); }
  bool binary(binary_t&) override { return fail_here("unexpected binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return fail(fmt::format("the header is not valid JSON (byte {})", position + 8));
  }

 private:
  bool fail(const std::string& what) {
    if (problem.empty()) problem = what;
    return false;
  }
  bool fail_entry(const std::string& what) {
    return fail(fmt::format("tensor {}: {}", in_quotes(entries.back().name), what));
  }
  bool fail_here(const std::string& what) {
    if (in_metadata_) return fail("the metadata: " + what);
    return entries.empty() ? fail("the header: " + what) : fail_entry(what);
  }

  std::unordered_set<std::string> names_;
  std::string field_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool in_array_ = false;
};

/// A tensor with a complete and consistent description. Offsets count from the end of the header.
struct Located {
  std::string name;
  std::string type;            // as in the file
  std::optional<DType> dtype;  // missing: hanok has no such type
  std::vector<std::int64_t> sizes;
  std::uint64_t begin = 0, end = 0;
};

class Checker {
 public:
  Checker(const std::string& path, std::uint64_t data_size) : path_(path), data_size_(data_size) {}

  Located check(const HeaderEntry& entry) const {
    if (!entry.dtype || !entry.shape || !entry.offsets) {
      fail(entry.name, fmt::format("has no {}", !entry.dtype   ? "dtype"
                                                : !entry.shape ? "shape"
                                                               : "data_offsets"));
    }
    const std::optional<DType> dtype = dtype_from_safetensors(*entry.dtype);
    const std::size_t element = dtype ? size_of(*dtype) : size_of_unsupported(*entry.dtype);
    if (element == 0) fail(entry.name, "unsupported dtype " + in_quotes(*entry.dtype));
    Located located{entry.name, *entry.dtype, dtype, {}, 0, 0};
    for (const std::uint64_t size : *entry.shape) {
      located.sizes.push_back(static_cast<std::int64_t>(size));  // beyond 63 bits: negative
    }
    checked_row_major(where(entry.name), located.sizes);
    std::uint64_t bytes = element;
    for (const std::int64_t size : located.sizes) bytes *= static_cast<std::uint64_t>(size);

    const auto& offsets = *entry.offsets;
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size_) {
      fail(entry.name, fmt::format("its data_offsets [{}] are outside the {} bytes after the "
                                   "header",
                                   fmt::join(offsets, ","), data_size_));
    }
    if (offsets[1] - offsets[0] != bytes) {
      fail(entry.name,
           fmt::format("shape [{}] of {} takes {} bytes, but its data_offsets [{}] span {}",
                       fmt::join(located.sizes, ","), *entry.dtype, bytes, fmt::join(offsets, ","),
                       offsets[1] - offsets[0]));
    }
    located.begin = offsets[0];
    located.end = offsets[1];
    return located;
  }

  /// Checks that the tensors fill the data without gaps or overlaps.
  void check_layout(std::vector<Located> all) const {
    std::sort(all.begin(), all.end(), [](const Located& a, const Located& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t filled = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].begin < filled) {
        fail(all[i].name,
             fmt::format("its bytes overlap those of tensor {}", in_quotes(all[i - 1].name)));
      }
      if (all[i].begin > filled) {
        fail(all[i].name,
             fmt::format("there is a gap of {} bytes before it", all[i].begin - filled));
      }
      filled = all[i].end;
    }
    if (filled != data_size_) {
      throw FormatError(
          fmt::format("{}: has {} bytes after its last tensor", path_, data_size_ - filled));
    }
  }

 private:
  std::string where(const std::string& name) const {
    return fmt::format("{}: tensor {}", path_, in_quotes(name));
  }
  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw FormatError(where(name) + ": " + what);
  }
  const std::string& path_;
  std::uint64_t data_size_;
};

}  // namespace

WeightFile read_safetensors(const std::shared_ptr<const MappedFile>& file) {
  const std::string& path = file->path();
  const Bytes bytes = file->bytes();
  constexpr std::uint64_t kLengthSize = 8;
  if (bytes.size() < kLengthSize) throw FormatError(path + ": is too short for safetensors");
  const auto header_size = read_little_endian<std::uint64_t>(bytes, 0);
  if (header_size > kLongestHeader || header_size > bytes.size() - kLengthSize) {
    throw FormatError(
        fmt::format("{}: its header claims {} bytes, but the file has {} (at most {} are allowed)",
                    path, header_size, bytes.size(), kLongestHeader));
  }
  HeaderParser header;
  const Bytes text = bytes.subspan(kLengthSize, header_size);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &header)) {
    throw FormatError(path + ": " + header.problem);
  }

  const Bytes data = bytes.subspan(kLengthSize + header_size);
  const Checker checker(path, data.size());
  std::vector<Located> tensors;
  for (const HeaderEntry& entry : header.entries) {
    check_name_length(path, entry.name);
    tensors.push_back(checker.check(entry));
  }
  checker.check_layout(tensors);

  WeightFile result;
  result.format = "safetensors";
  result.metadata = std::move(header.metadata);
  for (const Located& tensor : tensors) {
    if (!tensor.dtype) {
      result.unsupported[tensor.name] = "of dtype " + in_quotes(tensor.type);
      result.notes.push_back(fmt::format("{} was left out: it is {}", in_quotes(tensor.name),
                                         result.unsupported[tensor.name]));
      continue;
    }
    const std::string where = fmt::format("{}: tensor {}", path, in_quotes(tensor.name));
    result.tensors.insert(
        tensor.name,
        to_tensor({data.subspan(tensor.begin, tensor.end - tensor.begin), 0, tensor.sizes,
                   checked_row_major(where, tensor.sizes), *tensor.dtype},
                  where, file));
  }
  if (result.tensors.empty() && !tensors.empty()) {
    throw FormatError(fmt::format("{}: tensor {}: unsupported dtype {}", path,
                                  in_quotes(tensors[0].name), in_quotes(tensors[0].type)));
  }
  return result;
}

}  // namespace hanok::weights
