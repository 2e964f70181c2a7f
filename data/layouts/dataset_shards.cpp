// Tar archives of images and labels, as webdataset's.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>
#include <utility>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/data/layouts/class_names.h"
#include "hanok/data/layouts/shard_labels.h"
#include "hanok/data/layouts/split_folders.h"
#include "hanok/data/shards/archive_file.h"
#include "hanok/data/shards/shard_content.h"
#include "hanok/data/shards/shard_index.h"
#include "hanok/kernels/base/error.h"

namespace fs = std::filesystem;

namespace hanok::data {
namespace {

constexpr std::size_t kListed = 10;

bool is_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// "train/a.tar" -> "train"; empty for a shard in the root.
std::string first_folder(const std::string& shard) {
  const std::size_t slash = shard.find('/');
  return slash == std::string::npos ? std::string() : shard.substr(0, slash);
}

[[noreturn]] void refuse_compressed(const std::string& root,
                                    const std::vector<std::string>& compressed) {
  throw FormatError(fmt::format(
      "{}/{}: is a compressed archive{}, in which no image can be read at its place: make it a "
      ".tar "
      "(gunzip, unzstd, ...; photographs are compressed already), or unpack it into folders",
      root, compressed[0],
      compressed.size() == 1 ? "" : fmt::format(" as {} others are", compressed.size() - 1)));
}

/// Reads the shards of a folder; what is damaged is kept until all of them were looked at.
class ShardFolder {
 public:
  ShardFolder(Dataset& dataset, bool allow_damaged)
      : dataset_(dataset), allow_damaged_(allow_damaged) {}

  /// Fills the data set's shards and samples, and their labels. `table` is the file beside them
  /// that labels them; empty: none.
  void read(std::vector<ShardLabel>& labels, const std::string& table) {
    std::vector<std::string> compressed;
    std::vector<std::string> shards = list_shards(dataset_.root, dataset_.skipped, compressed);
    if (!compressed.empty()) refuse_compressed(dataset_.root, compressed);
    for (const std::string& name : {std::string(kShardIndex), std::string(kShardClasses), table}) {
      forget_skipped(name);
    }
    if (shards.empty()) {
      throw ValueError(dataset_.root + ": contains no shards (tar archives *.tar)");
    }
    const std::string index = dataset_.root + "/" + kShardIndex;
    if (is_file(index)) {
      dataset_.notes.push_back(fmt::format("shards: {}, listed in {}", shards.size(), kShardIndex));
      read_indexed(index, shards, labels);
    } else {
      dataset_.notes.push_back(fmt::format("shards: {}, read through once", shards.size()));
      find_splits(shards);
      for (const std::string& shard : shards) read_whole(shard, labels);
    }
    report_damage(shards.size());
  }

 private:
  /// A file of the root that is read is not skipped.
  void forget_skipped(const std::string& name) {
    if (name.empty() || !is_file(dataset_.root + "/" + name)) return;
    const auto found = dataset_.skipped.find("extension " + fs::path(name).extension().string());
    if (found != dataset_.skipped.end() && --found->second == 0) dataset_.skipped.erase(found);
  }

  /// Takes the shards of a split's test out.
  void find_splits(std::vector<std::string>& shards) {
    std::map<std::string, std::string> folder_of;  // by split
    for (const std::string& shard : shards) {
      const std::string folder = first_folder(shard);
      if (folder.empty()) {
        check_name(shard);
        continue;
      }
      if (!is_split_name(folder)) continue;
      const auto [known, is_new] = folder_of.emplace(split_of_name(folder), folder);
      if (is_new || known->second == folder) continue;
      throw ValueError(fmt::format("{}: both {} and {} hold shards of one split", dataset_.root,
                                   known->second, folder));
    }
    if (folder_of.count("train") == 0) return;
    SplitFolders& splits = dataset_.split_folders;
    splits = {.train = folder_of["train"], .val = folder_of["val"], .test = folder_of["test"]};
    if (!splits.test.empty()) {
      dataset_.notes.push_back(
          fmt::format("left out: {}/{}, for testing; its scores: evaluate "
                      "--run RUN --data {}/{}",
                      dataset_.root, splits.test, dataset_.root, splits.test));
    }
    std::erase_if(shards, [&](const std::string& shard) {
      const std::string folder = first_folder(shard);
      const bool used = folder == splits.train || (!splits.val.empty() && folder == splits.val);
      const bool is_test = !splits.test.empty() && folder == splits.test;
      if (!used && !is_test) ++dataset_.skipped["shard outside the folders of a split"];
      return !used;
    });
  }

  /// One folder with shards "train-000.tar" and "val-000.tar" would be learned as one.
  void check_name(const std::string& shard) {
    const std::string split = split_of_name(file_stem(shard));
    if (split.empty()) return;
    named_.emplace(split, shard);
    if (named_.size() < 2) return;
    throw ValueError(fmt::format(
        "{}: {} and {} are named as parts of a split; move the shards of each into a folder of its "
        "own (train, val, test), or name one folder: --data {}/FOLDER",
        dataset_.root, named_.begin()->second, named_.rbegin()->second, dataset_.root));
  }

  Split split_of(const std::string& shard) const {
    const SplitFolders& splits = dataset_.split_folders;
    if (!dataset_.has_split()) return Split::None;
    return first_folder(shard) == splits.val ? Split::Val : Split::Train;
  }

  void add(const std::string& shard, std::vector<ShardSample> samples,
           std::vector<ShardLabel>& labels) {
    dataset_.shards.push_back(shard);
    for (ShardSample& sample : samples) {
      sample.place.shard = dataset_.shards.size() - 1;
      const std::string path = shard + "/" + sample.member;
      dataset_.samples.push_back({.path = path,
                                  .label = -1,
                                  .group = path,
                                  .split = split_of(shard),
                                  .member = sample.place});
      labels.push_back({.label = std::move(sample.label), .group = std::move(sample.group)});
    }
  }

  void read_whole(const std::string& shard, std::vector<ShardLabel>& labels) {
    try {
      ShardContent content = read_shard(dataset_.root + "/" + shard);
      for (const auto& [reason, count] : content.skipped) dataset_.skipped[reason] += count;
      add(shard, std::move(content.samples), labels);
    } catch (const FormatError& error) {
      damaged_.emplace_back(error.what());
    } catch (const IoError& error) {
      damaged_.emplace_back(error.what());
    }
  }

  void read_indexed(const std::string& csv_path, std::vector<std::string> shards,
                    std::vector<ShardLabel>& labels) {
    ShardIndex index = read_shard_index(csv_path);
    const std::set<std::string> there(shards.begin(), shards.end());
    for (const std::string& shard : shards) {
      if (index.count(shard) != 0) continue;
      throw FormatError(
          fmt::format("{}: lists no sample of {}, which lies beside it; without {} all "
                      "shards are read through",
                      csv_path, shard, kShardIndex));
    }
    for (const auto& entry : index) {
      if (there.count(entry.first) == 0) shards.push_back(entry.first);
    }
    std::sort(shards.begin(), shards.end());
    find_splits(shards);
    for (const std::string& shard : shards) {
      const std::string path = dataset_.root + "/" + shard;
      const ShardMember& last = index[shard].back().place;
      try {
        const std::int64_t size = ArchiveFile(path).size();
        if (size < last.offset + last.bytes) {
          throw FormatError(fmt::format(
              "{}: was cut off: it has {} bytes, '{}' begins at {} and has "
              "{} ({})",
              path, size, index[shard].back().member, last.offset, last.bytes, kShardIndex));
        }
        add(shard, std::move(index[shard]), labels);
      } catch (const FormatError& error) {
        damaged_.emplace_back(error.what());
      } catch (const IoError& error) {
        damaged_.emplace_back(error.what());
      }
    }
  }

  void report_damage(std::size_t shards) {
    if (damaged_.empty()) return;
    if (!allow_damaged_) {
      const std::size_t shown = std::min(kListed, damaged_.size());
      std::vector<std::string> lines(damaged_.begin(),
                                     damaged_.begin() + static_cast<std::ptrdiff_t>(shown));
      if (shown < damaged_.size()) {
        lines.push_back(fmt::format("... and {} more", damaged_.size() - shown));
      }
      throw FormatError(
          fmt::format("{}: {} of {} shards cannot be read; --allow-bad continues "
                      "without them:\n  {}",
                      dataset_.root, damaged_.size(), shards, fmt::join(lines, "\n  ")));
    }
    for (const std::string& what : damaged_) {
      dataset_.warnings.push_back("left out, with all of its samples: " + what);
    }
  }

  Dataset& dataset_;
  bool allow_damaged_;
  std::map<std::string, std::string> named_;  // a shard in the root that is named for each split
  std::vector<std::string> damaged_;
};

}  // namespace

Dataset load_shards(const std::string& root, const DatasetOptions& options) {
  std::string table;
  Dataset dataset;
  dataset.root = root;
  if (is_file(root)) {
    table = root;
    dataset.root = fs::path(root).parent_path().string();
    if (dataset.root.empty()) dataset.root = ".";
  }
  std::error_code error;
  if (!fs::is_directory(dataset.root, error)) throw IoError(dataset.root + ": no such folder");
  dataset.layout = "shards";
  std::vector<ShardLabel> labels;
  if (table.empty() && is_file(dataset.root + "/labels.csv")) table = dataset.root + "/labels.csv";
  ShardFolder(dataset, options.allow_damaged_shards)
      .read(labels, fs::path(table).filename().string());
  if (table.empty()) {
    label_samples(dataset, labels);
  } else {
    label_samples_by_table(dataset, labels, table, options);
  }
  for (std::string& warning : twin_warnings(dataset.class_names)) {
    dataset.warnings.push_back(std::move(warning));
  }
  return dataset;
}

}  // namespace hanok::data
