// PyTorch's first layout (before 0.1.10): a tar archive of three members. "storages" contains a
// count and, for each storage, the pickle (key, location, class), its number of elements (8 bytes)
// and the elements; then a pickled list of views. "tensors" contains a count and, for each tensor,
// the pickle (key, storage's key, class), its number of dimensions (8 bytes), sizes, strides and
// offset. "pickle" is the object, whose persistent ids are keys of tensors.
#include <fmt/core.h>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"

namespace hanok::weights {
namespace {

constexpr std::size_t kBlock = 512;

/// Members of a tar archive by name. Throws FormatError for a damaged header or a truncated member.
std::unordered_map<std::string, Bytes> read_members(const std::string& path, Bytes bytes) {
  constexpr std::size_t kNameSize = 100, kSizeAt = 124, kChecksumAt = 148, kTypeAt = 156;
  const auto octal = [&](std::size_t at, std::size_t length) {
    std::uint64_t value = 0;
    for (std::size_t i = at; i < at + length && bytes[i] >= '0' && bytes[i] <= '7'; ++i) {
      value = value * 8 + (bytes[i] - '0');
    }
    return value;
  };
  std::unordered_map<std::string, Bytes> members;
  for (std::size_t at = 0; range_fits(at, kBlock, bytes.size()) && bytes[at] != 0;) {
    std::string name(reinterpret_cast<const char*>(bytes.data()) + at, kNameSize);
    name.resize(std::min(name.find('\0'), name.size()));
    if (name.starts_with("./")) name.erase(0, 2);
    std::uint64_t sum = 0;  // of the header, with the checksum field read as spaces
    for (std::size_t i = 0; i < kBlock; ++i) {
      sum += i >= kChecksumAt && i < kChecksumAt + 8 ? ' ' : bytes[at + i];
    }
    std::size_t digits = at + kChecksumAt;
    while (digits < at + kChecksumAt + 7 && bytes[digits] == ' ') ++digits;
    if (octal(digits, at + kChecksumAt + 8 - digits) != sum) {
      throw FormatError(
          fmt::format("{}: the tar header of {} has a wrong checksum", path, in_quotes(name)));
    }
    const std::uint64_t size = octal(at + kSizeAt, 12);
    if (!range_fits(at + kBlock, size, bytes.size())) {
      throw FormatError(
          fmt::format("{}: member {} of {} bytes is truncated", path, in_quotes(name), size));
    }
    const unsigned char type = bytes[at + kTypeAt];
    if ((type == '0' || type == 0) &&
        !members.emplace(name, bytes.subspan(at + kBlock, size)).second) {
      throw FormatError(fmt::format("{}: member {} is a duplicate", path, in_quotes(name)));
    }
    at += kBlock + (size + kBlock - 1) / kBlock * kBlock;
  }
  return members;
}

/// Reads a sequence of pickles and integers.
class Sequence {
 public:
  Sequence(Bytes bytes, std::string where, pickle::Resolver& resolver, pickle::Arena& arena)
      : bytes_(bytes), where_(std::move(where)), resolver_(resolver), arena_(arena) {}

  pickle::Ref next_object() {
    pickle::Machine machine(bytes_.subspan(at_), where_, resolver_, arena_);
    const pickle::Ref value = machine.run();
    at_ += machine.consumed();
    return value;
  }
  std::int64_t next_count(const char* what) {
    const std::int64_t count = as_integer(where_, *next_object(), what);
    if (count < 0) throw FormatError(fmt::format("{}: {} is {}", where_, what, count));
    return count;
  }
  std::int64_t next_int64() {
    return static_cast<std::int64_t>(read_little_endian<std::uint64_t>(take(8), 0));
  }
  Bytes take(std::uint64_t size) {
    if (!range_fits(at_, size, bytes_.size())) throw FormatError(where_ + ": is truncated");
    const Bytes result = bytes_.subspan(at_, size);
    at_ += size;
    return result;
  }

 private:
  Bytes bytes_;
  std::string where_;
  pickle::Resolver& resolver_;
  pickle::Arena& arena_;
  std::size_t at_ = 0;
};

/// Keys are integers in some members and the same integers as text in others.
std::string key_text(const std::string& where, const pickle::Value& value) {
  if (const auto* number = value.as<std::int64_t>()) return std::to_string(*number);
  return as_text(where, value, "a key");
}

class TarResolver : public TorchResolver {
 public:
  using TorchResolver::TorchResolver;
  pickle::Payload persistent(const pickle::Value& id) override {
    const auto found = tensors.find(key_text(where_, id));
    if (found == tensors.end()) {
      throw FormatError(
          fmt::format("{}: tensor {} is missing", where_, in_quotes(key_text(where_, id))));
    }
    return found->second;
  }
  std::unordered_map<std::string, std::shared_ptr<const TensorRef>> tensors;
};

class TarReader {
 public:
  explicit TarReader(const std::shared_ptr<const MappedFile>& file)
      : file_(file), members_(read_members(file->path(), file->bytes())), resolver_(file->path()) {}

  WeightFile read(const std::vector<Rename>& renames) {
    read_storages();
    read_tensors();
    const pickle::Ref root = member("pickle").next_object();
    WeightFile result;
    result.format = "pth-tar";
    // A view's key maps to its root's bytes, from which collect_state_dict takes the view.
    const StorageBytes storage_bytes = [this](const StorageRef& storage) {
      return contents_.at(storage.key);
    };
    collect_state_dict(*root, file_, storage_bytes, renames, result);
    return result;
  }

 private:
  Sequence member(const std::string& name) {
    const auto found = members_.find(name);
    if (found == members_.end()) {
      throw FormatError(
          fmt::format("{}: is a tar archive without the member '{}', so it was not "
                      "written by PyTorch",
                      file_->path(), name));
    }
    return {found->second, where(name), resolver_, arena_};
  }
  std::string where(const std::string& name) const {
    return fmt::format("{}: member '{}'", file_->path(), name);
  }

  void read_storages() {
    const std::string here = where("storages");
    Sequence sequence = member("storages");
    const std::int64_t count = sequence.next_count("the number of storages");
    for (std::int64_t i = 0; i < count; ++i) {
      const pickle::Ref header = sequence.next_object();
      const auto& parts = as_items(here, *header, "a storage's header");
      const auto* storage_class = parts.size() == 3 ? parts[2]->as<pickle::Global>() : nullptr;
      if (storage_class == nullptr) throw FormatError(here + ": a storage's header is damaged");
      const std::string key = key_text(here, *parts[0]);
      const std::int64_t numel = sequence.next_int64();
      StorageRef storage = make_storage_ref(here, key, storage_class->name, numel);
      if (static_cast<std::uint64_t>(numel) > file_->bytes().size()) {
        throw FormatError(
            fmt::format("{}: storage {} of {} elements is truncated", here, in_quotes(key), numel));
      }
      contents_[key] = sequence.take(static_cast<std::uint64_t>(numel) * storage.element_size);
      add_storage(here, key, std::move(storage));
    }
    const pickle::Ref views = sequence.next_object();
    for (const pickle::Ref view : as_items(here, *views, "the list of views")) {
      const auto& parts = as_items(here, *view, "a view");
      if (parts.size() != 4) throw FormatError(here + ": a view does not have four parts");
      StorageRef storage = *find_storage(here, key_text(here, *parts[1]));
      storage.view_offset = as_integer(here, *parts[2], "a view's offset");
      storage.view_numel = as_integer(here, *parts[3], "a view's size");
      check_view(here, storage);
      add_storage(here, key_text(here, *parts[0]), std::move(storage));
    }
  }

  void read_tensors() {
    const std::string here = where("tensors");
    Sequence sequence = member("tensors");
    const std::int64_t count = sequence.next_count("the number of tensors");
    for (std::int64_t i = 0; i < count; ++i) {
      const pickle::Ref header = sequence.next_object();
      const auto& parts = as_items(here, *header, "a tensor's header");
      if (parts.size() != 3) {
        throw FormatError(here + ": a tensor's header does not have three parts");
      }
      auto tensor = std::make_shared<TensorRef>();
      tensor->storage = find_storage(here, key_text(here, *parts[1]));
      // The number of dimensions takes 4 bytes; the next 4 bytes are unused.
      const auto rank = read_little_endian<std::uint32_t>(sequence.take(8), 0);
      if (rank > static_cast<std::uint32_t>(kMaxRank)) {
        throw FormatError(fmt::format("{}: a tensor has {} dimensions; at most {} are supported",
                                      here, rank, kMaxRank));
      }
      for (std::uint32_t d = 0; d < rank; ++d) tensor->sizes.push_back(sequence.next_int64());
      for (std::uint32_t d = 0; d < rank; ++d) tensor->strides.push_back(sequence.next_int64());
      tensor->offset = sequence.next_int64();
      resolver_.tensors[key_text(here, *parts[0])] = std::move(tensor);
    }
  }

  void add_storage(const std::string& here, const std::string& key, StorageRef storage) {
    if (!storages_.emplace(key, std::make_shared<const StorageRef>(std::move(storage))).second) {
      throw FormatError(fmt::format("{}: storage {} is a duplicate", here, in_quotes(key)));
    }
  }
  std::shared_ptr<const StorageRef> find_storage(const std::string& here,
                                                 const std::string& key) const {
    const auto found = storages_.find(key);
    if (found == storages_.end()) {
      throw FormatError(fmt::format("{}: storage {} is missing", here, in_quotes(key)));
    }
    return found->second;
  }

  const std::shared_ptr<const MappedFile>& file_;
  std::unordered_map<std::string, Bytes> members_;
  std::unordered_map<std::string, std::shared_ptr<const StorageRef>> storages_;
  std::unordered_map<std::string, Bytes> contents_;
  TarResolver resolver_;
  pickle::Arena arena_;
};

}  // namespace

WeightFile read_pth_tar(const std::shared_ptr<const MappedFile>& file,
                        const std::vector<Rename>& renames) {
  return TarReader(file).read(renames);
}

}  // namespace hanok::weights
