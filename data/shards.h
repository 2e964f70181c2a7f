// Shards: data sets in tar archives as webdataset writes them (load_shards() in dataset.h), for
// data that are too many files, or too large for a disk. Nothing is extracted: images are read at
// their places in the archives.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// The bytes of a sample's image file. Throws IoError if they cannot be read; FormatError (name
/// first) if there are more than decode_image takes, or for a member of a shard if the header in
/// front of it or its checksum does not fit.
std::vector<std::uint8_t> read_sample(const Dataset& dataset, std::size_t sample);
/// The image of a sample, all of it. Throws as read_sample() and decode_image().
Image decode_whole_sample(const Dataset& dataset, std::size_t sample);
/// The size of a sample's image file; empty if there is no such file, or its shard ends before it.
std::optional<std::int64_t> sample_bytes(const Dataset& dataset, std::size_t sample);

/// An image in a shard.
struct ShardImage {
  std::string name;  // of the member
  std::int64_t offset = 0, bytes = 0;
};
/// The images in the tar archive `path`, in the order of their places. Throws as load_shards().
std::vector<ShardImage> images_in_shard(const std::string& path);
/// The tar archives below `folder` at any depth, as relative paths in byte order. Throws IoError.
std::vector<std::string> shard_files(const std::string& folder);
/// Where a path such as "DIR/a.tar/1.jpg" ends that of a shard: the length of "DIR/a.tar". Empty if
/// it names none.
std::optional<std::size_t> shard_part(const std::string& path);

struct ShardOrder {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
  std::int64_t buffer = 1024;  // samples
};
/// The same samples in an order that reads shards one after the other: shards are shuffled, the
/// samples of each stand as they lie in it, and each then moves by fewer than `buffer` places. So
/// between two samples of the result lie at most 2*buffer samples of others in the shards' order. A
/// buffer for all samples shuffles them evenly, 1 leaves them in the shards' order. A pure function
/// of its arguments. Samples without a shard count as of one. Throws ValueError for a buffer below
/// 1.
std::vector<std::int64_t> in_shard_order(const Dataset& dataset, std::vector<std::int64_t> samples,
                                         const ShardOrder& order);

struct ShardOptions {
  std::int64_t shards = 1;
  /// Called after each sample, with the number of those that are done.
  std::function<void(std::int64_t)> on_sample{};
};
struct WrittenShards {
  std::int64_t shards = 0, samples = 0, bytes = 0;  // of the archives
};
/// Writes the data set into the new folder `folder`: tar archives shard-000000.tar, ... with
/// KEY.jpg (the file's bytes as they are), KEY.cls and KEY.json of each sample, in an order that
/// mixes the classes and is always the same; index.csv and classes.txt. A split stays one, in the
/// folders train and val. KEY is the sample's path without its extension, a '.' in the name written
/// as "%2E", '%' as "%25". The folder appears when all of it is written. Throws ValueError for more
/// shards than samples, or a name of a class that takes several lines; IoError if the folder is
/// there already, a file cannot be read or the disk is full.
WrittenShards write_shards(const Dataset& dataset, const std::string& folder,
                           const ShardOptions& options);

}  // namespace hanok::data
#pragma GCC visibility pop
