// Tar archives of images and labels, and the index beside them.
#include "hanok/data/shards.h"

#include <cstdlib>
#include <filesystem>

#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"
#include "tests/support/tar_archive.h"

namespace hanok::fuzz {
namespace {

/// Members as the source names them, with right checksums: random bytes would not come further than
/// to the first header.
std::string archive_from(ByteSource& source) {
  std::string archive;
  for (int i = 0; i < 12 && !source.empty(); ++i) {
    test::TarEntry entry;
    entry.name = source.text();
    if (entry.name.empty()) break;
    const unsigned char what = source.byte();
    if ((what & 1) != 0) entry.type = static_cast<char>(source.byte());
    if ((what & 2) != 0) entry.size = source.text();
    if ((what & 4) != 0) entry.checksum = source.text();
    if ((what & 8) != 0) entry.link = source.text();
    entry.content = text_of(source.take(source.number(2)));
    archive += test::tar_entry(entry);
  }
  const std::size_t zeros = (2 + std::size_t{source.byte()}) % 4;  // blocks; two are right
  return archive + std::string(512 * zeros, '\0') + text_of(source.rest());
}

/// Everything that is done with a data set that was found.
void read_all(const data::Dataset& dataset) {
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const std::filesystem::path path = dataset.samples[i].path;
    if (path.is_absolute() || *path.begin() == "..") std::abort();
    if (dataset.samples[i].label < 0) std::abort();
    data::sample_bytes(dataset, i);
    expect_refusal_or_result(dataset.root, [&] { data::decode_whole_sample(dataset, i); });
  }
  data::in_shard_order(dataset, {}, {});
}

}  // namespace

// The first byte says what the bytes are: an archive as it is, the members of one, or index.csv.
void run_shards(Bytes bytes) {
  ByteSource source(bytes);
  const unsigned char kind = source.byte();
  const std::string folder = scratch_folder() + "/shards";
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  const std::string whole = test::tar_archive(
      {{.name = "a/1.png", .content = "none"}, {.name = "a/1.cls", .content = "0"}});
  if (kind % 3 == 0) scratch_file("shards/a.tar", source.rest());
  if (kind % 3 == 1) scratch_file("shards/a.tar", archive_from(source));
  if (kind % 3 == 2) {
    scratch_file("shards/a.tar", whole);
    scratch_file("shards/index.csv", source.rest());
  }
  if ((kind & 64) != 0) scratch_file("shards/labels.csv", "path,label\na/1,cat\n1,dog\n");
  if ((kind & 128) != 0) scratch_file("shards/classes.txt", "cat\ndog\n");
  for (const bool allow_damaged : {false, true}) {
    expect_refusal_or_result(folder, [&] {
      read_all(data::load_shards(folder, {.allow_damaged_shards = allow_damaged}));
    });
  }
  expect_refusal_or_result(folder, [&] { data::images_in_shard(folder + "/a.tar"); });
}

}  // namespace hanok::fuzz
