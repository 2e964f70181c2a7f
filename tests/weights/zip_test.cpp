// Archives with one error each are rejected, naming the entry.
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

class Zip : public testing::Test {
 protected:
  void expect_reads(const std::string& content) {
    write_file(path_, content);
    const WeightFile file = load(path_);
    EXPECT_EQ(file.tensors.at("weight").shape(), (Shape{4}));
  }
  void expect_fails(const std::string& content, const std::vector<std::string>& parts) {
    write_file(path_, content);
    expect_format_error(path_, parts);
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "file.pth";
};

TEST_F(Zip, ReadsAnArchiveAsPyTorchWritesIt) { expect_reads(pth_builder().build()); }

TEST_F(Zip, ReadsZip64) {
  ZipBuilder zip = pth_builder();
  zip[1].zip64 = true;
  expect_reads(zip.build(/*zip64_end=*/true));
  expect_reads(pth_builder().build(/*zip64_end=*/true));
}

TEST_F(Zip, ReadsAnArchiveWithAComment) {
  std::string file = pth_builder().build();
  file.replace(file.size() - 2, 2, little_endian(5, 2));
  expect_reads(file + "hello");
}

TEST_F(Zip, ReadsEntriesWithoutAChecksum) {
  ZipBuilder zip = pth_builder();
  zip[1].crc = 0;
  expect_reads(zip.build());
}

TEST_F(Zip, RefusesEveryTruncation) {
  const std::string file = pth_builder().build();
  for (std::size_t size = 4; size < file.size(); ++size) {
    expect_fails(file.substr(0, size), {"the zip directory at the end is missing"});
  }
}

TEST_F(Zip, RefusesAWrongChecksum) {
  ZipBuilder zip = pth_builder();
  zip[1].data[5] = 'x';
  expect_fails(zip.build(), {"entry 'a/data/0'", "wrong checksum"});
}

TEST_F(Zip, RefusesAWrongChecksumOfThePickle) {
  ZipBuilder zip = pth_builder();
  zip[0].crc ^= 1;
  expect_fails(zip.build(), {"entry 'a/data.pkl'", "wrong checksum"});
}

TEST_F(Zip, RefusesOverlappingEntries) {
  ZipBuilder zip = pth_builder();
  zip.add("a/data/0", "");  // the same name, so that the second may point to the first's header
  zip[3].local_offset = 0;
  zip[3].name = zip[0].name;
  expect_fails(zip.build(), {"entry 'a/data.pkl'", "overlaps entry 'a/data.pkl'"});
}

TEST_F(Zip, RefusesAnEntryThatReachesIntoTheNext) {
  ZipBuilder zip = pth_builder();
  zip[1].size = zip[1].compressed = 20;
  expect_fails(zip.build(), {"entry 'a/version'", "overlaps entry 'a/data/0'"});
}

TEST_F(Zip, RefusesAnOversizedEntry) {
  ZipBuilder zip = pth_builder();
  zip[2].size = zip[2].compressed = 0xFFFFFFF0;
  expect_fails(zip.build(), {"entry 'a/version'", "4294967280 bytes", "do not fit"});
  zip[2].zip64 = true;
  zip[2].size = zip[2].compressed = ~std::uint64_t{0};
  expect_fails(zip.build(), {"entry 'a/version'", "do not fit"});
}

TEST_F(Zip, RefusesDuplicates) {
  ZipBuilder zip = pth_builder();
  zip.add("a/data/0", "");
  expect_fails(zip.build(), {"entry 'a/data/0'", "duplicate name"});
}

TEST_F(Zip, RefusesCompressedAndEncryptedEntries) {
  ZipBuilder zip = pth_builder();
  zip[1].method = 8;
  expect_fails(zip.build(), {"entry 'a/data/0'", "compressed (method 8)"});
  zip[1].method = 0;
  zip[1].flags = 1;
  expect_fails(zip.build(), {"entry 'a/data/0'", "encrypted"});
}

TEST_F(Zip, RefusesTwoSizesOfAStoredEntry) {
  ZipBuilder zip = pth_builder();
  zip[1].compressed = 15;
  expect_fails(zip.build(), {"entry 'a/data/0'", "two sizes, 15 and 16"});
}

TEST_F(Zip, RefusesAnotherNameInTheLocalHeader) {
  ZipBuilder zip = pth_builder();
  zip[1].local_name = "b/data/0";
  expect_fails(zip.build(), {"entry 'a/data/0'", "'b/data/0' in its local header"});
}

TEST_F(Zip, RefusesALocalHeaderOutsideTheFile) {
  ZipBuilder zip = pth_builder();
  zip[1].local_offset = 1 << 30;
  expect_fails(zip.build(), {"entry 'a/data/0'", "no local header at byte 1073741824"});
}

TEST_F(Zip, RefusesADirectoryThatCannotHoldItsEntries) {
  std::string file = pth_builder().build();
  file.replace(file.size() - 14, 4, little_endian(0xFFFEFFFE, 4));
  expect_fails(file, {"cannot hold 65534 entries"});
}

TEST_F(Zip, RefusesADirectoryOutsideTheFile) {
  std::string file = pth_builder().build();
  file.replace(file.size() - 6, 4, little_endian(0x7FFFFFFF, 4));
  expect_fails(file, {"lies outside the file"});
}

TEST_F(Zip, RefusesArchivesThatPyTorchDidNotWrite) {
  ZipBuilder zip;
  zip.add("hello.txt", "hello");
  expect_fails(zip.build(), {"without data.pkl"});
}

TEST_F(Zip, RefusesTorchScript) {
  ZipBuilder zip = pth_builder();
  zip.add("a/constants.pkl", "\x80\x02).");
  expect_fails(zip.build(), {"TorchScript"});
}

TEST_F(Zip, RefusesBigEndianNumbers) {
  ZipBuilder zip = pth_builder();
  zip.add("a/byteorder", "big");
  expect_fails(zip.build(), {"entry 'a/byteorder'", "'big'"});
}

TEST_F(Zip, RefusesAMissingStorage) {
  ZipBuilder zip;
  zip.add("a/data.pkl", state_dict_pickle({4}, {1}));
  expect_fails(zip.build(), {"entry 'a/data/0' is missing"});
}

TEST_F(Zip, RefusesAStorageOfAnotherSize) {
  expect_fails(pth_builder(4, state_dict_pickle({4}, {1}, 0, 5)).build(),
               {"entry 'a/data/0'", "16 bytes", "5 elements of 4 bytes"});
}

}  // namespace
}  // namespace hanok::weights::test
