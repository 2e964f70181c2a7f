// PyTorch's layout from 0.1.10 to 1.5, still written on request: five pickles (a magic number, the
// protocol version, system information, the object, the list of storage keys), then for each key
// its number of elements (8 bytes) and the elements.
#include <fmt/core.h>
#include <unordered_map>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"

namespace hanok::weights {
namespace {

/// 0x1950a86a20f9469cfc6c, least significant byte first.
const std::string kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kProtocolVersion = 1001;

/// Records the storages that the object's pickle mentions: their types are known only from there.
class LegacyResolver : public TorchResolver {
 public:
  using TorchResolver::TorchResolver;

  pickle::Payload persistent(const pickle::Value& id) override {
    pickle::Payload payload = TorchResolver::persistent(id);
    const auto* found = std::get_if<std::shared_ptr<const StorageRef>>(&payload);
    if (found == nullptr) return payload;  // the class of a module
    const std::shared_ptr<const StorageRef>& storage = *found;
    const auto [known, is_new] = storages.emplace(storage->key, storage);
    if (!is_new &&
        (known->second->numel != storage->numel || known->second->type != storage->type)) {
      throw FormatError(fmt::format("{}: storage {} has two different descriptions", where_,
                                    in_quotes(storage->key)));
    }
    return payload;
  }

  std::unordered_map<std::string, std::shared_ptr<const StorageRef>> storages;
};

void check_system(const std::string& where, const pickle::Value& system) {
  const auto* dict = system.as<pickle::Dict>();
  if (dict == nullptr) throw FormatError(where + ": the system information is missing");
  for (const auto& [key, value] : dict->items) {
    const auto* name = key->as<std::string>();
    const auto* flag = value->as<bool>();
    if (name != nullptr && *name == "little_endian" && flag != nullptr && !*flag) {
      throw FormatError(where + ": its numbers are big-endian; only little-endian is supported");
    }
  }
}

}  // namespace

WeightFile read_pth_legacy(const std::shared_ptr<const MappedFile>& file,
                           const std::vector<Rename>& renames) {
  const std::string& path = file->path();
  const Bytes bytes = file->bytes();
  LegacyResolver resolver(path);
  pickle::Arena arena;
  std::size_t at = 0;
  const auto next_pickle = [&] {
    pickle::Machine machine(bytes.subspan(at), fmt::format("{}: at byte {}", path, at), resolver,
                            arena);
    const pickle::Ref value = machine.run();
    at += machine.consumed();
    return value;
  };

  const auto* magic = next_pickle()->as<pickle::BigInteger>();
  if (magic == nullptr || magic->bytes != kMagic) {
    throw FormatError(fmt::format(
        "{}: is a pickle, but not written by torch.save; where it is a dictionary of arrays by "
        "PyTorch's names and you trust it: torch.save({{k: torch.as_tensor(v) for k, v in "
        "pickle.load(open({}, 'rb')).items()}}, 'state_dict.pth')",
        path, in_quotes(path)));
  }
  const std::int64_t version = as_integer(path, *next_pickle(), "the protocol version");
  if (version != kProtocolVersion) {
    throw FormatError(fmt::format("{}: has protocol version {}, only {} is supported", path,
                                  version, kProtocolVersion));
  }
  check_system(path, *next_pickle());
  const pickle::Ref root = next_pickle();

  std::unordered_map<std::string, Bytes> contents;
  const pickle::Ref keys = next_pickle();
  for (const pickle::Ref key_value : as_items(path, *keys, "the list of storages")) {
    const std::string& key = as_text(path, *key_value, "a storage's key");
    const std::string where = fmt::format("{}: storage {}", path, in_quotes(key));
    const auto known = resolver.storages.find(key);
    if (known == resolver.storages.end()) {
      throw FormatError(where + " is used by no tensor");
    }
    const StorageRef& storage = *known->second;
    if (storage.element_size == 0) {
      throw FormatError(fmt::format("{}: the size of {}'s elements is not known", where,
                                    in_quotes(storage.type)));
    }
    if (!range_fits(at, 8, bytes.size())) throw FormatError(where + ": the file is truncated");
    const auto numel = read_little_endian<std::uint64_t>(bytes, at);
    at += 8;
    if (numel != static_cast<std::uint64_t>(storage.numel)) {
      throw FormatError(
          fmt::format("{}: has {} elements, but the pickle says {}", where, numel, storage.numel));
    }
    if (numel > (bytes.size() - at) / storage.element_size) {
      throw FormatError(fmt::format("{}: its {} elements of {} bytes are truncated", where, numel,
                                    storage.element_size));
    }
    const std::size_t size = numel * storage.element_size;
    if (!contents.emplace(key, bytes.subspan(at, size)).second) {
      throw FormatError(where + ": duplicate key");
    }
    at += size;
  }
  if (at != bytes.size()) {
    throw FormatError(
        fmt::format("{}: has {} bytes after its last storage", path, bytes.size() - at));
  }

  WeightFile result;
  result.format = "pth-legacy";
  const StorageBytes storage_bytes = [&](const StorageRef& storage) {
    const auto found = contents.find(storage.key);
    if (found == contents.end()) {
      throw FormatError(fmt::format("{}: storage {} is missing, but a tensor uses it", path,
                                    in_quotes(storage.key)));
    }
    return found->second;
  };
  collect_state_dict(*root, file, storage_bytes, renames, result);
  return result;
}

}  // namespace hanok::weights
