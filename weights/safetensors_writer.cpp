// Writes safetensors; safetensors_reader.cpp describes the format.
#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/atomic_file.h"
#include "hanok/weights/file_checksum.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/safetensors_names.h"
#include "hanok/weights/tensor_window.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {
namespace {

constexpr std::size_t kAlignment = 8;  // of the data in the file: the widest element

/// The tensors in the order of their bytes: widest elements first, so that all are aligned although
/// the format allows no gaps.
std::vector<std::size_t> order_of_data(const std::vector<nn::StateDict::Entry>& entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return size_of(entries[a].second.dtype()) > size_of(entries[b].second.dtype());
  });
  return order;
}

std::string make_header(const std::string& path, const std::vector<nn::StateDict::Entry>& entries,
                        const std::vector<std::size_t>& order,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<std::uint64_t> begins(entries.size());
  std::uint64_t end = 0;
  for (const std::size_t i : order) {
    begins[i] = end;
    end += entries[i].second.bytes();
  }
  // Serialised entry by entry: an ordered JSON object searches all names for each insertion.
  std::string header = "{";
  const auto add = [&](const std::string& name, const nlohmann::ordered_json& value) {
    try {
      header += (header.size() > 1 ? "," : "") + nlohmann::json(name).dump() + ":" + value.dump();
    } catch (const nlohmann::json::exception&) {
      throw ValueError(
          fmt::format("{}: cannot be written: {} is not UTF-8 text", path, in_quotes(name)));
    }
  };
  if (!metadata.empty()) add(std::string(kMetadataName), metadata);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [name, tensor] = entries[i];
    if (name == kMetadataName) {
      throw ValueError(
          fmt::format("{}: cannot be written: no tensor may be called '{}'", path, kMetadataName));
    }
    add(name, {{"dtype", name_in_safetensors(tensor.dtype())},
               {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
               {"data_offsets", {begins[i], begins[i] + tensor.bytes()}}});
  }
  header += "}";
  header.append((kAlignment - header.size() % kAlignment) % kAlignment, ' ');
  return header;
}

}  // namespace

void save_safetensors(const std::string& path, const nn::StateDict& tensors,
                      const std::map<std::string, std::string>& metadata, Checksum wanted) {
  const std::vector<nn::StateDict::Entry> entries(tensors.begin(), tensors.end());
  const std::vector<std::size_t> order = order_of_data(entries);
  std::map<std::string, std::string> all = metadata;
  // Metadata of another file may hold that file's.
  const std::string key(kChecksumKey);
  const bool summed = wanted == Checksum::Yes || all.count(key) != 0;
  if (summed) all[key] = Crc32().hex();
  const std::string header = make_header(path, entries, order, all);

  AtomicFile file(path);
  Crc32 sum;
  const auto write = [&](const void* data, std::size_t bytes) {
    file.write(data, bytes);
    if (summed) sum.add(data, bytes);
  };
  unsigned char length[8];
  for (std::size_t i = 0; i < 8; ++i) {
    length[i] = static_cast<unsigned char>(std::uint64_t{header.size()} >> (8 * i));
  }
  write(length, sizeof(length));
  write(header.data(), header.size());
  std::vector<unsigned char> logical;
  std::size_t largest = 0;
  for (const auto& entry : entries) largest = std::max(largest, entry.second.bytes());
  logical.reserve(largest);  // at once: a buffer that grows holds its contents twice
  for (const std::size_t i : order) {
    const Tensor tensor = entries[i].second.to(Device::cpu());
    logical.resize(tensor.bytes());
    copy_logical_order(tensor, logical.data());
    write(logical.data(), logical.size());
  }
  if (summed) {
    const std::string digits = sum.hex();
    file.overwrite(sizeof(length) + find_checksum(header), digits.data(), digits.size());
  }
  file.commit();
}

}  // namespace hanok::weights
