// Data sets: lists of labelled image files on disk.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hanok/data/csv.h"

#pragma GCC visibility push(default)
namespace hanok::data {

struct Sample {
  std::string path;    // relative to the root
  std::int64_t label;  // -1: unknown
  std::string group;   // samples of one group (a person, a photograph) share a fold; the path if
                       // there is no group
};

struct Dataset {
  std::string root;
  std::string layout;  // "folder", "competition", "csv"
  std::vector<std::string> class_names;
  std::vector<Sample> samples;
  /// True if any two samples share a group.
  bool has_groups = false;
  /// Files skipped on purpose, counted by reason ("AppleDouble file ._*", ".DS_Store", ...).
  std::map<std::string, std::int64_t> skipped;
  /// Problems to report to the user ("id 000123 occurs twice").
  std::vector<std::string> warnings;

  std::string full_path(std::size_t i) const { return root + "/" + samples[i].path; }
  /// Number of samples per class.
  std::vector<std::int64_t> class_counts() const;
};

/// Layout root/CLASS/**.{jpg,jpeg,png}; classes in byte order of their names. The group is the file
/// name up to its last '_' if several files (of any class) share it, else the path. Names that only
/// number the files of a class ("img_0001") form no groups; a warning says so. Throws IoError for a
/// missing folder, ValueError for an empty class or fewer than two classes.
Dataset load_image_folder(const std::string& root);

/// The mask competition's layout: root/train.csv (or root/train/train.csv) with
/// `id,gender,race,age,path` and root/images/PATH/{mask1..5,incorrect_mask,normal}.*. 18 classes =
/// 6*mask + 3*gender + age group; mask 0 worn, 1 incorrect, 2 not worn; gender 0 male, 1 female;
/// age <30, 30-59, >=60. The group is the id.
Dataset load_competition(const std::string& root);

/// A table with columns path, label and optionally group; paths are relative to the table's folder
/// and may not leave it. Classes in byte order of their names, integers in numerical order. A row
/// without a group is its own group. Throws FormatError naming file and line, ValueError for fewer
/// than two classes.
Dataset load_csv_dataset(const std::string& csv_path);

/// Detects the layout ("auto") or uses the named one; `root` may also be a .csv file or a folder
/// with labels.csv. Throws ValueError listing what it looked for.
Dataset load_dataset(const std::string& root, const std::string& layout = "auto");

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
