// Data sets: lists of labelled image files, on disk or in tar archives (shards).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/csv.h"
#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::data {

/// What the data themselves say an image is for: it lies in their folder train/ or val/.
enum class Split { None, Train, Val };

/// Where an image file lies in an uncompressed tar archive, which is read in place.
struct ShardMember {
  std::size_t shard = 0;  // in Dataset::shards
  std::int64_t offset = 0, bytes = 0;
  std::optional<std::uint32_t> crc32{};  // of its bytes, where it is known
};

struct Sample {
  std::string path;    // relative to the root; in a shard "SHARD/MEMBER"
  std::int64_t label;  // -1: unknown
  std::string group;   // samples of one group (a person, a photograph) share a fold; the path if
                       // there is no group
  Split split = Split::None;
  /// The part of the image that is used, before preprocessing; empty: all of it.
  std::optional<Rectangle> crop{};
  /// Empty: a file by itself.
  std::optional<ShardMember> member{};
};

/// Folders of a data set that is split already, as they are named on disk; empty where there is
/// none.
struct SplitFolders {
  std::string train, val;
  std::string test;  // never read
  bool any() const { return !train.empty(); }
};

struct Dataset {
  std::string root;
  std::string layout;  // "folder", "competition", "csv", "shards"
  std::vector<std::string> class_names;
  std::vector<Sample> samples;
  std::vector<std::string> shards{};  // relative to the root
  /// True if any two samples share a group.
  bool has_groups = false;
  /// What makes a group: "file name up to its last '_'", "id", "column group".
  std::string grouped_by;
  /// train/, val/ and test/, where the root holds these instead of classes.
  SplitFolders split_folders;
  /// Files skipped on purpose, counted by reason ("AppleDouble file ._*", ".DS_Store", ...).
  std::map<std::string, std::int64_t> skipped;
  /// How the data were understood, for the user to check ("images from column 'id_code'").
  std::vector<std::string> notes;
  /// Problems to report to the user ("id 000123 occurs twice").
  std::vector<std::string> warnings;

  /// Of a member of a shard its name for messages: there is no such file.
  std::string full_path(std::size_t i) const { return root + "/" + samples[i].path; }
  /// The file that holds the sample: itself, or its shard.
  std::string file_of(std::size_t i) const {
    return samples[i].member ? root + "/" + shards[samples[i].member->shard] : full_path(i);
  }
  /// True if the data say themselves which images are for training and which for validation.
  bool has_split() const { return !split_folders.train.empty() && !split_folders.val.empty(); }
  /// Number of samples per class.
  std::vector<std::int64_t> class_counts() const;
};

/// How a data set is to be read.
struct DatasetOptions {
  std::string layout = "auto";  // or "folder", "competition", "csv", "shards"
  /// Columns of a table with image files and with labels; empty: by their usual names.
  std::string path_column{}, label_column{};
  /// Leaves damaged shards out, with a warning for each, instead of refusing the data set.
  bool allow_damaged_shards = false;
};

/// Layout root/CLASS/**, images at any depth (image_files.h); classes in byte order of their names.
/// Where the root holds train/ and val/ or test/ (also training, valid, validation, eval, dev,
/// testing, in any letter case) with class folders in them, these are splits: samples come from
/// train and val, the classes are train's, and test is not read. The group is the file name up to
/// its last '_' if several files (of any class) share it, else the path. Names that only number
/// files ("IMG_0001", or all of a class alike) form no groups. Throws IoError for a missing folder;
/// ValueError for an empty class, fewer than two classes, or splits without classes.
Dataset load_image_folder(const std::string& root);

/// The mask competition's layout: root/train.csv (or root/train/train.csv) with
/// `id,gender,race,age,path` and root/images/PATH/{mask1..5,incorrect_mask,normal}.*. 18 classes =
/// 6*mask + 3*gender + age group; mask 0 worn, 1 incorrect, 2 not worn; gender 0 male, 1 female;
/// age <30, 30-59, >=60. The group is the id.
Dataset load_competition(const std::string& root);

/// A table of images and labels, and optionally groups, in the columns path, label and group or in
/// others of usual names (image, filename, id_code, ... and class, target, diagnosis, ...). Paths
/// are relative to the table's folder and may not leave it; a name without its folder or extension
/// is completed if only one image fits. Classes in byte order of their names, integers in numerical
/// order. A row without a group is its own group. Throws FormatError naming file and line, also for
/// two rows of one file; ValueError for fewer than two classes.
Dataset load_csv_dataset(const std::string& csv_path, const DatasetOptions& options = {});

/// Tar archives as webdataset writes them, at any depth of the folder `root`: an image KEY.jpg and
/// its label, KEY.cls (a number or name) or "label" in KEY.json, perhaps with a "group"; files of
/// one key follow each other. A table index.csv (data/shards.h) tells where they lie; without one
/// every shard is read through once, images passed over. Labels and groups of a table labels.csv
/// (path: SHARD/MEMBER, MEMBER or KEY) replace those of the shards. classes.txt, a name a line,
/// says which class is 0, 1, ...; else they are ordered as a table's. Folders train, val and test
/// are splits. Samples are in the order of the shards' names, then of their places. Throws
/// FormatError naming damaged or compressed shards and what is wrong with them; ValueError as other
/// layouts.
Dataset load_shards(const std::string& root, const DatasetOptions& options = {});

/// Detects the layout ("auto") or uses the named one; `root` may also be a table or a folder with
/// one (labels.csv, or train.csv). Throws ValueError listing what it looked for.
Dataset load_dataset(const std::string& root, const DatasetOptions& options = {});

/// Groups the samples as a table with the columns path and group says: the output of `inspect data
/// --groups-out`, or a run's folds.csv. A row without a group is its own group. Samples that the
/// table lacks must be unreadable. Throws IoError; FormatError naming file and line for a path that
/// is not in the data set or occurs twice, and naming a sample that the table lacks.
void apply_group_file(Dataset& dataset, const std::string& csv_path);

/// How many groups have several samples, and two of them with their files: "12 groups of 2 to 5
/// files by ..., such as 'p1' (a/p1_0.jpg, a/p1_1.jpg) and ...". Empty if there is none.
std::string describe_groups(const Dataset& dataset);
/// A warning that names groups with samples in both train and val; empty if there is none.
std::string groups_across_split(const Dataset& dataset);

/// Names of the competition's 18 classes, e.g. "mask male <30".
std::vector<std::string> competition_class_names();

/// One row of the competition's train.csv.
struct Person {
  std::string id;
  int gender;        // 0 male, 1 female
  int age;           // years
  std::string path;  // folder of this person's photographs, relative to images/
  /// 3*gender + age group; a photograph's class is this plus 6*mask.
  int gender_age_class() const { return 3 * gender + (age < 30 ? 0 : age < 60 ? 1 : 2); }
};
/// Reads train.csv by column name. Throws FormatError naming file, line and value for a gender
/// other than male/female, an invalid age, or a path that leaves the data folder; duplicate ids are
/// reported in `warnings`.
std::vector<Person> read_people(const std::string& csv_path, std::vector<std::string>& warnings);

}  // namespace hanok::data
#pragma GCC visibility pop
