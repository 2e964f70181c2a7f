// Writes a data set as tar archives, GNU's format: names of any length and any bytes.
#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <zlib.h>

#include "hanok/data/image_files.h"
#include "hanok/data/sampler.h"
#include "hanok/data/shards.h"
#include "hanok/data/shards/shard_content.h"
#include "hanok/data/shards/shard_index.h"
#include "hanok/kernels/base/error.h"

namespace fs = std::filesystem;

namespace hanok::data {
namespace {

constexpr std::size_t kWriteAtOnce = 1 << 20;

/// A new file, closed at the end of its scope.
class NewFile {
 public:
  explicit NewFile(std::string path)
      : path_(std::move(path)),
        descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) fail(std::strerror(errno));
  }
  ~NewFile() { ::close(descriptor_); }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }
  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void sync() {
    if (::fsync(descriptor_) != 0) fail(std::strerror(errno));
  }
  [[noreturn]] void fail(const char* what) const {
    throw IoError(fmt::format("{}: cannot be written: {}", path_, what));
  }

 private:
  std::string path_;
  int descriptor_;
};

void sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

/// One archive.
class TarWriter {
 public:
  explicit TarWriter(const std::string& path)
      : file_(path), writer_(archive_write_new(), &archive_write_free) {
    if (!writer_) throw std::bad_alloc();
    archive_write_set_format_gnutar(writer_.get());
    archive_write_set_bytes_per_block(writer_.get(), kWriteAtOnce);
    archive_write_set_bytes_in_last_block(writer_.get(), 512);
    check(archive_write_open_fd(writer_.get(), file_.descriptor()));
  }

  /// Same names and contents give the same archive.
  void add(const std::string& name, const void* content, std::size_t bytes) {
    const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                              &archive_entry_free);
    if (!entry) throw std::bad_alloc();
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    check(archive_write_header(writer_.get(), entry.get()));
    const la_ssize_t written = archive_write_data(writer_.get(), content, bytes);
    if (written < 0 || static_cast<std::size_t>(written) != bytes) check(ARCHIVE_FATAL);
  }
  void finish() {
    check(archive_write_close(writer_.get()));
    file_.sync();
  }

 private:
  void check(int result) const {
    if (result == ARCHIVE_OK) return;
    const char* problem = archive_error_string(writer_.get());
    file_.fail(problem == nullptr ? std::strerror(archive_errno(writer_.get())) : problem);
  }

  NewFile file_;
  std::unique_ptr<archive, decltype(&archive_write_free)> writer_;
};

/// Where the data set's own name of a sample begins in its path.
std::string own_path(const Dataset& dataset, std::size_t i) {
  const Sample& sample = dataset.samples[i];
  return sample.member ? sample.path.substr(dataset.shards[sample.member->shard].size() + 1)
                       : sample.path;
}

/// A key ends at the first '.' of the name, and holds no control characters.
std::string in_key(const std::string& text, std::string_view encoded) {
  std::string out;
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= ' ' && c != 127 &&
                       encoded.find(c) == std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// "a/b.c.JPG" -> "a/b%2Ec" and ".jpg". Without an extension of images it is ".jpg": the content
/// says what a file is.
std::pair<std::string, std::string> key_and_extension(const std::string& path) {
  const fs::path parts = fs::path(path).lexically_normal();
  std::string stem = parts.stem().string();
  std::string extension = parts.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!has_image_extension("image" + extension)) {
    stem = parts.filename().string();
    extension = ".jpg";
  }
  const std::string folder = in_key(parts.parent_path().string(), "");
  return {(folder.empty() ? "" : folder + "/") + in_key(stem, ".%"), extension};
}

class ShardWriter {
 public:
  ShardWriter(const Dataset& dataset, std::string folder, const ShardOptions& options)
      : dataset_(dataset), folder_(std::move(folder)), options_(options) {
    for (const std::string& name : dataset.class_names) {
      if (name.empty() || name.find_first_of("\r\n") != std::string::npos) {
        throw ValueError(
            fmt::format("{}: the class '{}' is no line of {}", dataset.root, name, kShardClasses));
      }
    }
  }

  WrittenShards write() {
    std::vector<std::size_t> train, val;
    const auto count = static_cast<std::int64_t>(dataset_.samples.size());
    // Neighbours in a folder are of one class; a batch is drawn from neighbours in a shard.
    for (const std::int64_t i : shuffled(count, /*seed=*/0, /*epoch=*/0)) {
      const auto sample = static_cast<std::size_t>(i);
      const bool is_val = dataset_.has_split() && dataset_.samples[sample].split == Split::Val;
      (is_val ? val : train).push_back(sample);
    }
    const std::int64_t parts = val.empty() ? 1 : 2;
    if (options_.shards < parts || options_.shards > count) {
      throw ValueError(fmt::format("{} shards for {} samples{}: expected {} to {}", options_.shards,
                                   count, parts == 2 ? " of two splits" : "", parts, count));
    }
    if (val.empty()) {
      write_part("", train, options_.shards);
    } else {
      const auto of_val = std::clamp<std::int64_t>(
          options_.shards * static_cast<std::int64_t>(val.size()) / count, 1, options_.shards - 1);
      write_part("train/", train,
                 std::min(options_.shards - of_val, static_cast<std::int64_t>(train.size())));
      write_part("val/", val, of_val);
    }
    write_text(kShardIndex, shard_index_text(index_));
    std::string classes;
    for (const std::string& name : dataset_.class_names) classes += name + "\n";
    write_text(kShardClasses, classes);
    return written_;
  }

 private:
  void write_part(const std::string& part, const std::vector<std::size_t>& samples,
                  std::int64_t shards) {
    if (!part.empty()) {
      std::error_code error;
      fs::create_directory(folder_ + "/" + part, error);
      if (error) throw IoError(fmt::format("{}/{}: {}", folder_, part, error.message()));
    }
    const auto count = static_cast<std::int64_t>(samples.size());
    for (std::int64_t s = 0; s < shards; ++s) {
      const auto begin = samples.begin() + count * s / shards;
      const auto end = samples.begin() + count * (s + 1) / shards;
      write_shard(fmt::format("{}shard-{:06}.tar", part, s), {begin, end});
    }
    if (!part.empty()) sync_folder(folder_ + "/" + part);
  }

  void write_shard(const std::string& name, const std::vector<std::size_t>& samples) {
    const std::string path = folder_ + "/" + name;
    std::vector<std::uint32_t> checksums;
    TarWriter tar(path);
    for (const std::size_t i : samples) {
      checksums.push_back(write_sample(tar, i));
      ++written_.samples;
      if (options_.on_sample) options_.on_sample(written_.samples);
    }
    tar.finish();
    // The places are those at which the reader finds what was written.
    std::vector<ShardSample> content = read_shard(path).samples;
    if (content.size() != samples.size()) {
      throw FormatError(fmt::format("{}: {} samples were written and {} are found again", path,
                                    samples.size(), content.size()));
    }
    for (std::size_t i = 0; i < content.size(); ++i) content[i].place.crc32 = checksums[i];
    index_[name] = std::move(content);
    std::error_code error;
    written_.bytes += static_cast<std::int64_t>(fs::file_size(path, error));
    ++written_.shards;
  }

  /// Returns the checksum of the image's bytes.
  std::uint32_t write_sample(TarWriter& tar, std::size_t i) {
    const Sample& sample = dataset_.samples[i];
    const std::vector<std::uint8_t> image = read_sample(dataset_, i);
    const auto [stem, extension] = key_and_extension(own_path(dataset_, i));
    std::string key = stem;  // "a.jpg" and "a.png" are two samples
    for (int n = 2; !keys_.insert(key).second; ++n) key = fmt::format("{}~{}", stem, n);
    const std::string& label = dataset_.class_names[static_cast<std::size_t>(sample.label)];
    const std::string number = fmt::format("{}\n", sample.label);
    const std::string json = json_of(i, label);
    tar.add(key + extension, image.data(), image.size());
    tar.add(key + ".cls", number.data(), number.size());
    tar.add(key + ".json", json.data(), json.size());
    return static_cast<std::uint32_t>(crc32_z(0, image.data(), image.size()));
  }

  std::string json_of(std::size_t i, const std::string& label) const {
    const Sample& sample = dataset_.samples[i];
    nlohmann::ordered_json json;
    json["label"] = label;
    if (sample.group != sample.path) json["group"] = sample.group;
    try {
      return json.dump() + "\n";
    } catch (const nlohmann::json::type_error&) {
      throw ValueError(fmt::format("{}: its class or group is not UTF-8 text, which JSON requires",
                                   dataset_.full_path(i)));
    }
  }

  void write_text(const char* name, const std::string& text) {
    NewFile file(folder_ + "/" + name);
    file.write(text);
    file.sync();
  }

  const Dataset& dataset_;
  std::string folder_;
  const ShardOptions& options_;
  ShardIndex index_;
  std::set<std::string> keys_;
  WrittenShards written_;
};

}  // namespace

WrittenShards write_shards(const Dataset& dataset, const std::string& folder,
                           const ShardOptions& options) {
  std::string target = folder;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  std::error_code error;
  if (fs::symlink_status(target, error).type() != fs::file_type::not_found) {
    throw IoError(target + ": is there already; name a new folder");
  }
  const std::string partial = target + ".partial";
  if (!fs::create_directory(partial, error)) {
    throw IoError(error ? fmt::format("{}: {}", partial, error.message())
                        : partial +
                              ": is left over from a conversion that was broken off, or "
                              "another one is writing it; remove it");
  }
  try {
    const WrittenShards written = ShardWriter(dataset, partial, options).write();
    sync_folder(partial);
    fs::rename(partial, target, error);
    if (error) throw IoError(fmt::format("{}: {}", target, error.message()));
    const std::string parent = fs::path(target).parent_path().string();
    sync_folder(parent.empty() ? "." : parent);
    return written;
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }
}

}  // namespace hanok::data
