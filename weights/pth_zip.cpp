// PyTorch's current layout: a zip archive with the entries NAME/data.pkl (the pickle), NAME/data/0,
// NAME/data/1, ... (the storages), NAME/byteorder and NAME/version. NAME is the file's name at the
// time of writing, or "archive".
#include <fmt/core.h>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/other_formats.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/readers.h"
#include "hanok/weights/zip_reader.h"

namespace hanok::weights {
namespace {

constexpr std::string_view kPickleName = "data.pkl";

bool ends_with_part(std::string_view name, std::string_view part) {
  return name.size() >= part.size() && name.substr(name.size() - part.size()) == part &&
         (name.size() == part.size() || name[name.size() - part.size() - 1] == '/');
}

/// The entry NAME/data.pkl at the lowest folder depth.
const ZipEntry& find_pickle(const ZipReader& zip) {
  const ZipEntry* best = nullptr;
  for (const ZipEntry& entry : zip.entries()) {
    if (ends_with_part(entry.name, kPickleName) &&
        (best == nullptr || entry.name.size() < best->name.size())) {
      best = &entry;
    }
  }
  if (best == nullptr) {
    throw FormatError(zip.file()->path() +
                      ": is a zip archive without data.pkl, so it was not written by PyTorch");
  }
  return *best;
}

void check_byte_order(const ZipReader& zip, const std::string& folder) {
  const ZipEntry* entry = zip.find(folder + "byteorder");
  if (entry == nullptr) return;  // missing in older files, which are little-endian
  const Bytes bytes = zip.checked_bytes(*entry);
  const std::string order(bytes.begin(), bytes.end());
  if (order != "little") {
    throw FormatError(fmt::format("{}: entry {}: byte order is {}, only 'little' is supported",
                                  zip.file()->path(), in_quotes(entry->name), in_quotes(order)));
  }
}

}  // namespace

WeightFile read_pth_zip(const std::shared_ptr<const MappedFile>& file,
                        const std::vector<Rename>& renames) {
  const std::string other = other_zip(file->path(), file->bytes());
  if (!other.empty()) throw FormatError(fmt::format("{}: {}", file->path(), other));
  const ZipReader zip(file);
  const ZipEntry& pickle_entry = find_pickle(zip);
  const std::string folder =
      pickle_entry.name.substr(0, pickle_entry.name.size() - kPickleName.size());
  check_byte_order(zip, folder);

  const std::string where = fmt::format("{}: entry {}", file->path(), in_quotes(pickle_entry.name));
  TorchResolver resolver(where);
  pickle::Arena arena;
  pickle::Machine machine(zip.checked_bytes(pickle_entry), where, resolver, arena);
  const pickle::Ref root = machine.run();

  WeightFile result;
  result.format = "pth-zip";
  std::unordered_map<std::string, Bytes> checked;  // each storage's checksum is computed once
  const StorageBytes storage_bytes = [&](const StorageRef& storage) {
    const std::string name = folder + "data/" + storage.key;
    auto found = checked.find(name);
    if (found == checked.end()) {
      const ZipEntry* entry = zip.find(name);
      if (entry == nullptr) {
        throw FormatError(fmt::format("{}: entry {} is missing, but a tensor uses it", file->path(),
                                      in_quotes(name)));
      }
      found = checked.emplace(name, zip.checked_bytes(*entry)).first;
    }
    const std::size_t size = found->second.size();
    if (size / storage.element_size != static_cast<std::uint64_t>(storage.numel) ||
        size % storage.element_size != 0) {
      throw FormatError(
          fmt::format("{}: entry {}: has {} bytes, but the pickle says {} elements of {} bytes",
                      file->path(), in_quotes(name), size, storage.numel, storage.element_size));
    }
    return found->second;
  };
  collect_state_dict(*root, file, storage_bytes, renames, result);
  return result;
}

}  // namespace hanok::weights
