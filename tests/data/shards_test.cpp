// Shards as this library writes them, and as others do.
#include "hanok/data/shards.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <set>
#include <zlib.h>

#include "hanok/data/csv.h"
#include "hanok/data/loader.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"
#include "tests/support/bounded.h"
#include "tests/support/tar_archive.h"

namespace hanok::data {
namespace {

using hanok::test::tar_archive;
using hanok::test::TarEntry;
using test::message_of;
using test::noise;
using test::TempFolder;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::string png(const std::string& seed) {
  const std::vector<std::uint8_t> bytes = encode_png(noise(seed, 9, 7));
  return {bytes.begin(), bytes.end()};
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Names of files below a folder.
std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : test::fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      names.push_back(entry.path().lexically_relative(folder).string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// ---- writing ----

class WrittenShardsTest : public testing::Test {
 protected:
  WrittenShardsTest() {
    // A group of two files, a name with dots, two files of one stem, letters beyond ASCII, and a
    // name longer than an old header holds.
    for (int i = 0; i < 20; ++i) {
      const std::string name = "p" + std::to_string(i / 2) + "_" + std::to_string(i % 2) + ".png";
      folder_.write("photos/cat/" + name, png(name));
    }
    folder_.write("photos/dog/a.b.c.PNG", png("dots"));
    folder_.write("photos/dog/one.png", png("one"));
    folder_.write("photos/dog/one.jpg", png("jpg"));
    folder_.write("photos/dog/\xED\x95\x9C\xEC\x98\xA5.png", png("hanok"));
    folder_.write("photos/dog/" + std::string(150, 'x') + "/" + std::string(140, 'y') + ".png",
                  png("long"));
    dataset_ = load_image_folder(folder_.path() + "/photos");
  }
  Dataset written(std::int64_t shards, const std::string& name = "shards") {
    out_ = folder_.path() + "/" + name;
    write_shards(dataset_, out_, {.shards = shards});
    return load_dataset(out_);
  }
  /// (bytes, class name, group or nothing) of every sample, whatever its path.
  static std::multiset<std::vector<std::string>> contents(const Dataset& dataset) {
    std::multiset<std::vector<std::string>> all;
    for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
      const Sample& sample = dataset.samples[i];
      const std::vector<std::uint8_t> bytes = read_sample(dataset, i);
      all.insert({std::string(bytes.begin(), bytes.end()),
                  dataset.class_names[static_cast<std::size_t>(sample.label)],
                  sample.group == sample.path ? "" : sample.group});
    }
    return all;
  }

  TempFolder folder_;
  Dataset dataset_;
  std::string out_;
};

TEST_F(WrittenShardsTest, HoldWhatTheFolderHolds) {
  const Dataset read = written(3);
  EXPECT_EQ(read.layout, "shards");
  EXPECT_EQ(read.class_names, dataset_.class_names);
  EXPECT_EQ(read.has_groups, dataset_.has_groups);
  EXPECT_EQ(read.samples.size(), 25U);
  EXPECT_EQ(contents(read), contents(dataset_));
  EXPECT_THAT(read.shards, ElementsAre("shard-000000.tar", "shard-000001.tar", "shard-000002.tar"));
  EXPECT_THAT(read.skipped, IsEmpty());
  std::vector<std::string> members;
  for (const Sample& sample : read.samples) members.push_back(sample.path.substr(17));
  EXPECT_THAT(members, Contains("dog/a%2Eb%2Ec.png"));
  EXPECT_THAT(members, Contains("dog/one.png"));
  EXPECT_THAT(members, Contains("dog/one~2.png").Times(0));
}

TEST_F(WrittenShardsTest, AreTheSameBytesEveryTime) {
  written(4, "one");
  written(4, "two");
  const std::string one = folder_.path() + "/one", two = folder_.path() + "/two";
  EXPECT_THAT(files_in(one), SizeIs(6));
  for (const std::string& name : files_in(one)) {
    EXPECT_EQ(read_text(one + "/" + name), read_text(two + "/" + name)) << name;
  }
}

TEST_F(WrittenShardsTest, MixClassesInEachShard) {
  const Dataset read = written(2);
  for (std::size_t shard = 0; shard < 2; ++shard) {
    std::set<std::int64_t> labels;
    for (const Sample& sample : read.samples) {
      if (sample.member->shard == shard) labels.insert(sample.label);
    }
    EXPECT_THAT(labels, SizeIs(2));
  }
}

TEST_F(WrittenShardsTest, AreReadTheSameWithoutTheirIndex) {
  const Dataset indexed = written(3);
  test::fs::remove(out_ + "/index.csv");
  const Dataset scanned = load_dataset(out_);
  ASSERT_EQ(scanned.samples.size(), indexed.samples.size());
  EXPECT_EQ(scanned.class_names, indexed.class_names);
  for (std::size_t i = 0; i < scanned.samples.size(); ++i) {
    const Sample& a = scanned.samples[i];
    const Sample& b = indexed.samples[i];
    EXPECT_EQ(a.path, b.path);
    EXPECT_EQ(a.label, b.label);
    EXPECT_EQ(a.group, b.group);
    EXPECT_EQ(a.member->offset, b.member->offset);
    EXPECT_EQ(a.member->bytes, b.member->bytes);
    EXPECT_FALSE(a.member->crc32);
    const std::vector<std::uint8_t> bytes = read_sample(scanned, i);
    EXPECT_EQ(*b.member->crc32, crc32(0, bytes.data(), static_cast<unsigned>(bytes.size())));
  }
}

TEST_F(WrittenShardsTest, KeepClassesWithoutImagesAndTheirOrder) {
  dataset_.class_names = {"zebra", "cat", "dog"};
  for (Sample& sample : dataset_.samples) ++sample.label;
  const Dataset read = written(1);
  EXPECT_THAT(read.class_names, ElementsAre("zebra", "cat", "dog"));
  test::fs::remove(out_ + "/index.csv");
  EXPECT_THAT(load_dataset(out_).class_names, ElementsAre("zebra", "cat", "dog"));
}

TEST_F(WrittenShardsTest, KeepASplit) {
  for (const char* split : {"train", "val"}) {
    for (int i = 0; i < 6; ++i) {
      const std::string name =
          std::string(split) + "/" + (i % 2 ? "a" : "b") + "/q" + std::to_string(i) + ".png";
      folder_.write("split/" + name, png(name));
    }
  }
  dataset_ = load_image_folder(folder_.path() + "/split");
  const Dataset read = written(4);
  EXPECT_TRUE(read.has_split());
  EXPECT_THAT(files_in(out_), ElementsAre("classes.txt", "index.csv", "train/shard-000000.tar",
                                          "train/shard-000001.tar", "val/shard-000000.tar",
                                          "val/shard-000001.tar"));
  for (const Sample& sample : read.samples) {
    const bool is_val = sample.path.starts_with("val/");
    EXPECT_EQ(sample.split, is_val ? Split::Val : Split::Train);
    EXPECT_THAT(sample.path, HasSubstr(is_val ? ".tar/val/" : ".tar/train/"));
  }
  EXPECT_EQ(load_dataset(out_ + "/val").samples.size(), 6U);
}

TEST_F(WrittenShardsTest, CanBeWrittenAnewFromShards) {
  const Dataset read = written(3);
  write_shards(read, folder_.path() + "/again", {.shards = 2});
  EXPECT_EQ(contents(load_dataset(folder_.path() + "/again")), contents(dataset_));
}

TEST_F(WrittenShardsTest, AppearWholeOrNotAtAll) {
  test::fs::remove(dataset_.full_path(3));
  const std::string message = message_of<IoError>([&] { written(2); });
  EXPECT_THAT(message, HasSubstr(dataset_.samples[3].path));
  EXPECT_THAT(files_in(folder_.path()), SizeIs(24));
  EXPECT_FALSE(test::fs::exists(folder_.path() + "/shards.partial"));
}

TEST_F(WrittenShardsTest, NeverReplaceAFolder) {
  written(2);
  EXPECT_THAT(message_of<IoError>([&] { written(2); }), HasSubstr("shards: is there already"));
  test::fs::create_directory(folder_.path() + "/new.partial");
  EXPECT_THAT(message_of<IoError>([&] { written(2, "new"); }), HasSubstr("broken off"));
  EXPECT_THAT(message_of<ValueError>([&] { written(26, "many"); }),
              HasSubstr("26 shards for 25 samples: expected 1 to 25"));
  EXPECT_FALSE(test::fs::exists(folder_.path() + "/many.partial"));
}

TEST_F(WrittenShardsTest, AreReadByPathsOfTheirMembers) {
  const Dataset read = written(2);
  const Image image = decode_image_file(read.full_path(7));
  EXPECT_EQ(image.pixels, decode_whole_sample(read, 7).pixels);
  EXPECT_THAT(message_of<IoError>([&] { decode_image_file(read.file_of(7) + "/none.png"); }),
              HasSubstr("shard-000000.tar/none.png: the archive holds no such file"));
}

// ---- shards of others ----

class ForeignShards : public testing::Test {
 protected:
  static TarEntry image(const std::string& name) { return {.name = name, .content = png(name)}; }
  std::string path() const { return folder_.path(); }
  std::string refusal() {
    return message_of<FormatError>([&] { load_dataset(path()); });
  }
  TempFolder folder_;
};

TEST_F(ForeignShards, HaveLabelsInClsOrJson) {
  folder_.write("b.tar", tar_archive({image("x/10.jpg"),
                                      {.name = "x/10.cls", .content = "2\n"},
                                      {.name = "x/11.cls", .content = " 10 "},
                                      image("x/11.jpg")}));
  folder_.write(
      "a.tar",
      tar_archive({{.name = "./1.json", .content = R"({"label": 2, "group": "tom", "a": [[{}]]})"},
                   image("./1.png"),
                   image("2.jpeg"),
                   {.name = "2.json", .content = R"({"label": "10"})"},
                   {.name = "2.txt", .content = "a caption"}}));
  const Dataset dataset = load_dataset(path());
  EXPECT_THAT(dataset.class_names, ElementsAre("2", "10"));
  std::vector<std::pair<std::string, std::int64_t>> samples;
  for (const Sample& sample : dataset.samples) samples.emplace_back(sample.path, sample.label);
  EXPECT_THAT(samples, ElementsAre(Pair("a.tar/1.png", 0), Pair("a.tar/2.jpeg", 1),
                                   Pair("b.tar/x/10.jpg", 0), Pair("b.tar/x/11.jpg", 1)));
  EXPECT_EQ(dataset.samples[0].group, "tom");
  EXPECT_EQ(dataset.samples[1].group, dataset.samples[1].path);
  EXPECT_THAT(dataset.skipped, ElementsAre(Pair("extension .txt", 1)));
  EXPECT_EQ(decode_whole_sample(dataset, 2).pixels, noise("x/10.jpg", 9, 7).pixels);
}

TEST_F(ForeignShards, TakeNamesFromClassesTxt) {
  folder_.write("a.tar", tar_archive({image("1.jpg"),
                                      {.name = "1.cls", .content = "2"},
                                      image("2.jpg"),
                                      {.name = "2.cls", .content = "cat"}}));
  folder_.write("classes.txt", "dog\ncat\nzebra\n");
  const Dataset dataset = load_dataset(path());
  EXPECT_THAT(dataset.class_names, ElementsAre("dog", "cat", "zebra"));
  EXPECT_EQ(dataset.samples[0].label, 2);
  EXPECT_EQ(dataset.samples[1].label, 1);
  folder_.write("classes.txt", "dog\ncat\n");
  EXPECT_THAT(refusal(), HasSubstr("a.tar/1.jpg: label '2' is no class of classes.txt"));
}

TEST_F(ForeignShards, TakeLabelsFromATable) {
  folder_.write("a.tar", tar_archive({image("x/1.jpg"), image("x/2.jpg"), image("x/3.jpg")}));
  folder_.write("b.tar", tar_archive({image("x/1.jpg"), {.name = "x/1.cls", .content = "5"}}));
  EXPECT_THAT(refusal(), HasSubstr("a.tar/x/1.jpg: no label"));
  folder_.write("labels.csv",
                "path,label,group\na.tar/x/1.jpg,cat,g\nx/2.jpg,dog,g\nx/3,cat,\n"
                "x/9,cat,\n");
  const Dataset dataset = load_dataset(path());
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(dataset.samples, SizeIs(3));
  EXPECT_TRUE(dataset.has_groups);
  EXPECT_THAT(dataset.skipped, Contains(Pair(HasSubstr("the table does not name"), 1)));
  EXPECT_THAT(dataset.warnings, ElementsAre(HasSubstr("1 of 4 rows name no sample")));
  EXPECT_EQ(load_dataset(path() + "/labels.csv").samples.size(), 3U);
  folder_.write("labels.csv", "path,label\nx/1,cat\nx/2,dog\n");
  EXPECT_THAT(refusal(), HasSubstr("labels.csv:2: 'x/1' stands for several samples"));
}

TEST_F(ForeignShards, WithHeadersOfGnuAndPaxAreRead) {
  // 'L' carries the name of the next file in GNU tar, 'x' in POSIX.1-2001.
  const std::string name = std::string(120, 'n') + "/1.jpg";
  const std::string record = " path=" + std::string(110, 'p') + "\xC3\xA9.jpg\n";
  const std::string pax = std::to_string(record.size() + 3) + record;
  folder_.write("a.tar",
                tar_archive({{.name = "././@LongLink", .content = name + '\0', .type = 'L'},
                             image("nnn.jpg"),
                             {.name = "x", .content = pax, .type = 'x'},
                             image("ppp.jpg")}));
  folder_.write("labels.csv",
                "path,label\n" + name + ",a\n" + std::string(110, 'p') + "\xC3\xA9.jpg,b\n");
  const Dataset dataset = load_dataset(path());
  ASSERT_THAT(dataset.samples, SizeIs(2));
  EXPECT_EQ(decode_whole_sample(dataset, 0).pixels, noise("nnn.jpg", 9, 7).pixels);
  EXPECT_EQ(decode_whole_sample(dataset, 1).pixels, noise("ppp.jpg", 9, 7).pixels);
}

TEST_F(ForeignShards, AreNotGuessedAtBesidePhotographs) {
  for (const char* name : {"cat/1.png", "dog/1.png"}) folder_.write(name, png(name));
  folder_.write("backup.tar", tar_archive({}));
  EXPECT_EQ(load_dataset(path()).layout, "folder");
}

TEST_F(ForeignShards, OfOneSplitByNameBelongIntoFolders) {
  folder_.write("x-train-000.tar",
                tar_archive({image("1.jpg"), {.name = "1.cls", .content = "0"}}));
  folder_.write("x-val-000.tar", tar_archive({image("1.jpg"), {.name = "1.cls", .content = "1"}}));
  EXPECT_THAT(message_of<ValueError>([&] { load_dataset(path()); }),
              HasSubstr("x-train-000.tar and x-val-000.tar are named as parts of a split"));
}

// ---- damage ----

class DamagedShards : public ForeignShards {
 protected:
  DamagedShards() {
    good_ = {image("1.jpg"),
             {.name = "1.cls", .content = "0"},
             image("2.jpg"),
             {.name = "2.cls", .content = "1"}};
    folder_.write("good.tar", tar_archive(good_));
  }
  /// The refusal names the archive and `what`; with allow_damaged_shards its samples are missing.
  void expect_named(const std::string& archive, const std::string& what) {
    folder_.write("bad.tar", archive);
    const std::string message = refusal();
    EXPECT_THAT(message, AllOf(HasSubstr(path() + "/bad.tar"), HasSubstr(what),
                               HasSubstr("1 of 2 shards"), HasSubstr("--allow-bad")));
    const Dataset dataset = load_dataset(path(), {.allow_damaged_shards = true});
    EXPECT_THAT(dataset.samples, SizeIs(2));
    EXPECT_THAT(dataset.shards, ElementsAre("good.tar"));
    EXPECT_THAT(dataset.warnings, ElementsAre(AllOf(HasSubstr("bad.tar"), HasSubstr(what))));
  }
  std::vector<TarEntry> good_;
};

TEST_F(DamagedShards, ThatWereCutOffAreNamed) {
  const std::string whole = tar_archive(good_);
  const std::size_t blocks = (good_[0].content.size() + 511) / 512 * 512;
  expect_named(whole.substr(0, 512 + 20), "cut off");             // in an image
  expect_named(whole.substr(0, 512 + blocks), "block of zeros");  // between two files
  expect_named(whole.substr(0, 512 + blocks + 100), "at or behind byte 512, where '1.jpg' begins");
  expect_named(whole.substr(0, whole.size() - 1024), "block of zeros");
  expect_named("", "empty");
}

TEST_F(DamagedShards, WithAWrongChecksumAreNamed) {
  good_[2].checksum = "0000000";
  expect_named(tar_archive(good_), "where '1.cls' begins");
  expect_named(std::string(3000, 'x'), "at its beginning");
}

TEST_F(DamagedShards, ThatLieAboutSizesAreNamed) {
  good_[0].size = "77777777777";
  expect_named(tar_archive(good_), "'1.jpg' has 8589934591 bytes");
  good_[0].size = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
  expect_named(tar_archive(good_), "bad.tar");
  good_[0].content += std::string(600, 'x');
  good_[0].size = "00000000001";
  expect_named(tar_archive(good_), "bad.tar");
}

TEST_F(DamagedShards, WithNamesThatLeaveTheFolderAreNamed) {
  for (const char* name : {"../1.jpg", "/etc/1.jpg", "a/../../1.jpg", "a\n.jpg"}) {
    good_[2].name = name;
    expect_named(tar_archive(good_), "name");
  }
}

TEST_F(DamagedShards, WithTwoImagesOrScatteredFilesOfASampleAreNamed) {
  expect_named(tar_archive({image("1.jpg"), image("1.png"), {.name = "1.cls", .content = "0"}}),
               "'1.png': is a second image of one sample, beside '1.jpg'");
  expect_named(tar_archive({image("1.jpg"), image("2.jpg"), {.name = "1.cls", .content = "0"}}),
               "'1.cls': does not follow the other files of its sample");
  expect_named(tar_archive({image("1.jpg"), {.name = "1.json", .content = "{\"label\": "}}),
               "'1.json': is no JSON object");
  expect_named(tar_archive({image("1.jpg"), {.name = "1.json", .content = "{\"label\": 0.5}"}}),
               "\"label\" is neither text nor an integer");
  expect_named(tar_archive({image("1.jpg"), {.name = "1.cls", .content = std::string(5000, '1')}}),
               "5000 bytes, at most 4096");
}

TEST_F(DamagedShards, OfAMegabyteTakeLittleTimeAndMemory) {
  const std::string nested(std::size_t{1} << 20, '[');
  const std::string long_name = "30000000 path=" + std::string(1000, 'x') + "\n";
  std::vector<TarEntry> many(2000, {.name = "1.txt"});
  std::string extensions;
  for (int i = 0; i < 900; ++i) {
    extensions +=
        tar_archive({{.name = "x", .content = "12 a=" + std::string(6, 'y') + "\n", .type = 'x'}});
    extensions.resize(extensions.size() - 1024);
  }
  for (const std::string& archive :
       {tar_archive({image("1.jpg"), {.name = "1.json", .content = nested}}),
        tar_archive({{.name = "x", .content = long_name, .type = 'x', .size = "77777777777"}}),
        tar_archive({{.name = "x", .content = long_name, .type = 'x'}}),
        tar_archive({{.name = "L", .content = std::string(900'000, 'n'), .type = 'L'}}),
        tar_archive(many), extensions + tar_archive({image("1.jpg")})}) {
    folder_.write("bad.tar", archive);
    hanok::test::expect_bounded([&] { load_dataset(path(), {.allow_damaged_shards = true}); });
  }
}

TEST_F(DamagedShards, ThatAreJoinedAreNamed) {
  expect_named(tar_archive(good_) + tar_archive({image("3.jpg")}), "something follows its end");
}

TEST_F(DamagedShards, LinksAndDevicesAreCountedAndNotRead) {
  good_.push_back({.name = "3.jpg", .type = '2', .link = "/etc/passwd"});
  good_.push_back({.name = "4.jpg", .type = '1', .link = "1.jpg"});
  good_.push_back({.name = "5.jpg", .type = '3'});
  good_.push_back({.name = "folder/", .type = '5'});
  folder_.write("good.tar", tar_archive(good_));
  const Dataset dataset = load_dataset(path());
  EXPECT_THAT(dataset.samples, SizeIs(2));
  EXPECT_THAT(dataset.skipped, ElementsAre(Pair("link or special file in a shard", 3)));
}

TEST_F(DamagedShards, ThatAreCompressedAreRefusedByName) {
  folder_.write("c.tar.gz", "\x1F\x8B");
  EXPECT_THAT(refusal(), HasSubstr("c.tar.gz: is a compressed archive, in"));
  test::fs::remove(path() + "/c.tar.gz");
  expect_named("\x1F\x8B rest", "compressed by gzip");
}

/// Shards with an index, one of which changes afterwards.
class ChangedShards : public testing::Test {
 protected:
  ChangedShards() {
    for (int i = 0; i < 12; ++i) {
      const std::string name = std::string(i % 2 ? "a/" : "b/") + "q" + std::to_string(i) + ".png";
      folder_.write("photos/" + name, png(name));
    }
    write_shards(load_image_folder(folder_.path() + "/photos"), path(), {.shards = 2});
    dataset_ = load_dataset(path());
  }
  std::string path() const { return folder_.path() + "/shards"; }
  void change(std::size_t sample, std::int64_t from_offset) {
    const std::string file = dataset_.file_of(sample);
    std::string bytes = read_text(file);
    bytes[static_cast<std::size_t>(dataset_.samples[sample].member->offset + from_offset)] ^= 1;
    std::ofstream(file, std::ios::binary) << bytes;
  }
  TempFolder folder_;
  Dataset dataset_;
};

TEST_F(ChangedShards, AnOtherByteIsNamedBeforeItIsDecoded) {
  change(3, 60);
  const std::vector<BadImage> bad = find_unreadable(dataset_, 2);
  ASSERT_THAT(bad, SizeIs(1));
  EXPECT_EQ(bad[0].path, dataset_.samples[3].path);
  EXPECT_THAT(bad[0].reason, AllOf(HasSubstr(dataset_.full_path(3)), HasSubstr("checksum"),
                                   HasSubstr("damaged or was replaced")));
}

TEST_F(ChangedShards, AnOtherHeaderIsNamed) {
  change(3, -512);
  const std::vector<BadImage> bad = find_unreadable(dataset_, 2);
  ASSERT_THAT(bad, SizeIs(1));
  EXPECT_THAT(bad[0].reason, HasSubstr("no tar header with a valid checksum"));
}

TEST_F(ChangedShards, ACutOffOrMissingShardIsRefusedOrLeftOut) {
  const std::string shard = path() + "/shard-000001.tar";
  test::fs::resize_file(shard, 2000);
  EXPECT_THAT(message_of<FormatError>([&] { load_dataset(path()); }),
              AllOf(HasSubstr(shard + ": was cut off: it has 2000 bytes"), HasSubstr("1 of 2")));
  EXPECT_THAT(load_dataset(path(), {.allow_damaged_shards = true}).samples, SizeIs(6));
  EXPECT_FALSE(sample_bytes(dataset_, 11));
  EXPECT_TRUE(sample_bytes(dataset_, 1));
  test::fs::remove(shard);
  EXPECT_THAT(message_of<FormatError>([&] { load_dataset(path()); }),
              HasSubstr(shard + ": no such file"));
  folder_.write("shards/more.tar", tar_archive({}));
  EXPECT_THAT(message_of<FormatError>([&] { load_dataset(path()); }),
              HasSubstr("index.csv: lists no sample of more.tar"));
}

TEST_F(ChangedShards, AnIndexThatLiesIsRefusedWithItsLine) {
  const std::string good = "shard,member,offset,bytes,crc32,label,group\n";
  for (const auto& [row, what] : std::vector<std::pair<std::string, std::string>>{
           {"../x.tar,1.jpg,512,9,,a,\n", "index.csv:2: shard is '../x.tar'"},
           {"/x.tar,1.jpg,512,9,,a,\n", "index.csv:2: shard is '/x.tar'"},
           {"x,1.jpg,512,9,,a,\n", "index.csv:2: shard is 'x'"},
           {"x.tar,../1.jpg,512,9,,a,\n", "index.csv:2: the member's name '../1.jpg' leaves"},
           {"x.tar,1.jpg,0,9,,a,\n", "no member of an archive has 9 bytes at 0"},
           {"x.tar,1.jpg,513,9,,a,\n", "no member of an archive has 9 bytes at 513"},
           {"x.tar,1.jpg,512,9223372036854775807,,a,\n", "no member of an archive"},
           {"x.tar,1.jpg,512,-1,,a,\n", "bytes is '-1', expected a number"},
           {"x.tar,1.jpg,512,9,12,a,\n", "crc32 is '12', expected 8 hexadecimal digits"},
           {"x.tar,1.jpg,512,9,,a,\nx.tar,1.jpg,1024,9,,a,\n", "'1.jpg' occurs twice in x.tar"}}) {
    folder_.write("shards/index.csv", good + row);
    EXPECT_THAT(message_of<FormatError>([&] { load_dataset(path()); }), HasSubstr(what));
  }
}

TEST_F(ChangedShards, AMemberBeyondTheLimitIsNotRead) {
  dataset_.samples[0].member->bytes = std::int64_t{1} << 40;
  EXPECT_THAT(message_of<FormatError>([&] { read_sample(dataset_, 0); }),
              HasSubstr("more than the limit"));
  dataset_.samples[0].member->bytes = std::int64_t{1} << 28;
  EXPECT_THAT(message_of<FormatError>([&] { read_sample(dataset_, 0); }), HasSubstr("cut off"));
}

// ---- the loader ----

std::vector<std::int64_t> all_of(const Dataset& dataset) {
  std::vector<std::int64_t> samples(dataset.samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int64_t>(i);
  return samples;
}

TEST_F(WrittenShardsTest, GiveTheLoaderTheSameImagesAndResumeAnywhere) {
  const Dataset read = written(3);
  LoaderOptions options;
  options.preprocessing.image_size = 8;
  options.batch_size = 4;
  options.augmentation = named_augmentation("light");
  options.cache.budget = 0;
  const std::vector<std::int64_t> order =
      in_shard_order(read, all_of(read), {.seed = 7, .buffer = 6});
  const auto run = [&](std::int64_t first_batch) {
    Loader loader(read, options);
    loader.start_epoch(0, order, first_batch);
    std::vector<std::vector<float>> images;
    for (Batch batch; loader.next(batch);) images.push_back(batch.images.to_vector());
    return images;
  };
  const auto whole = run(0);
  ASSERT_THAT(whole, SizeIs(7));
  for (const std::int64_t first : {1, 4, 7}) {
    EXPECT_EQ(run(first), std::vector(whole.begin() + first, whole.end()));
  }
}

TEST_F(WrittenShardsTest, SharesOfRanksTogetherAreTheBatches) {
  const Dataset read = written(3);
  LoaderOptions options;
  options.preprocessing.image_size = 8;
  options.batch_size = 7;  // 25 samples: the last batch has 4
  options.augmentation = named_augmentation("light");
  std::vector<std::int64_t> order = in_shard_order(read, all_of(read), {.seed = 7, .buffer = 6});
  order[20] = order[3];  // a repeated sample varies by how often it came before
  const auto run = [&](std::int64_t rank, std::int64_t ranks) {
    options.share = [=](std::int64_t images) {
      std::vector<std::int64_t> positions;
      for (std::int64_t i = images * rank / ranks; i < images * (rank + 1) / ranks; ++i) {
        positions.push_back(i);
      }
      return positions;
    };
    Loader loader(read, options);
    loader.start_epoch(0, order);
    EXPECT_EQ(loader.batch_count(), 4);
    std::vector<Batch> batches;
    for (Batch batch; loader.next(batch);) {
      batch.images = Tensor::from_vector(batch.images.to_vector(), batch.images.shape());
      batches.push_back(batch);
    }
    return batches;
  };
  const std::vector<Batch> whole = run(0, 1);
  for (const int ranks : {2, 3, 6}) {
    std::vector<std::vector<float>> images(4);
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<Batch> part = run(rank, ranks);
      ASSERT_THAT(part, SizeIs(4));
      for (std::size_t b = 0; b < 4; ++b) {
        const auto more = part[b].images.to_vector();
        images[b].insert(images[b].end(), more.begin(), more.end());
        EXPECT_EQ(part[b].samples, whole[b].samples);
        EXPECT_EQ(part[b].labels.to_int_vector(), whole[b].labels.to_int_vector());
      }
    }
    for (std::size_t b = 0; b < 4; ++b) EXPECT_EQ(images[b], whole[b].images.to_vector());
  }
}

}  // namespace
}  // namespace hanok::data
