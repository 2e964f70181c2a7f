// Data sets: lists of labelled image files, as found on disk.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hanok::data {

struct Sample {
  std::string path;    // relative to the root
  std::int64_t label;  // -1: unknown
  std::string group;   // samples of one group never cross folds (a person, a photograph); the path
                       // itself where there is none
};

struct Dataset {
  std::string root;
  std::string layout;  // "folder", "competition", "csv"
  std::vector<std::string> class_names;
  std::vector<Sample> samples;
  /// True if any two samples share a group.
  bool has_groups = false;
  /// What was passed over on purpose, by reason ("AppleDouble file ._*", ".DS_Store", ...): counted
  /// and explained, never deleted.
  std::map<std::string, std::int64_t> skipped;
  /// Things worth telling the user ("id 000123 occurs twice").
  std::vector<std::string> warnings;

  std::string full_path(std::size_t i) const { return root + "/" + samples[i].path; }
  /// Members of each class.
  std::vector<std::int64_t> class_counts() const;
};

/// root/CLASS/**.{jpg,jpeg,png}; classes in byte order of their names. The group is the file name's
/// part before its last '_' where several files (of whatever class) share it, else the path; names
/// that plainly only number the files of a class ("img_0001") make no groups, with a warning.
/// Throws IoError for a missing folder, ValueError for an empty class or fewer than two.
Dataset load_image_folder(const std::string& root);

/// The mask competition: root/train.csv (or root/train/train.csv) `id,gender,race,age,path`,
/// root/images/PATH/{mask1..5,incorrect_mask,normal}.*; 18 classes = 6*mask + 3*gender + age group;
/// mask 0 worn, 1 incorrect, 2 not worn; gender 0 male, 1 female; age <30, 30-59, >=60. Group: the
/// id.
Dataset load_competition(const std::string& root);

/// A table with columns path and label, and group if there is one; paths are relative to the table
/// and stay below its folder. Classes in byte order of their names, numbers in order of value. Rows
/// without a group, or all where there is no such column, stand alone. Throws FormatError naming
/// file and line, ValueError for fewer than two classes.
Dataset load_csv_dataset(const std::string& csv_path);

/// Decides between the three by what is there; `root` may name a .csv file, or a folder that holds
/// labels.csv. Throws ValueError saying what it looked for.
Dataset load_dataset(const std::string& root, const std::string& layout = "auto");

/// Names of the competition's 18 classes, e.g. "mask male <30".
std::vector<std::string> competition_class_names();

/// One row of the competition's train.csv.
struct Person {
  std::string id;
  int gender;        // 0 male, 1 female
  int age;           // years
  std::string path;  // folder of this person's photographs, relative to images/
  /// 3*gender + age group; plus 6*mask it is the class of a photograph.
  int gender_age_class() const { return 3 * gender + (age < 30 ? 0 : age < 60 ? 1 : 2); }
};
/// Reads train.csv by column name. Throws FormatError naming file, line and value for anything that
/// is not male/female, not an age, or a path that leaves the data folder; ids that occur twice are
/// added to `warnings`.
std::vector<Person> read_people(const std::string& csv_path, std::vector<std::string>& warnings);

/// One CSV file read whole: RFC 4180 quoting, optional byte-order mark, LF or CRLF. Throws
/// FormatError naming file and line.
struct Csv {
  std::string path;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::int64_t> lines;  // where each row starts in the file, from 1
  /// Index of a column; throws FormatError listing the columns if absent.
  std::size_t column(const std::string& name) const;
};
Csv read_csv(const std::string& path);
/// Quotes a field where RFC 4180 demands it.
std::string csv_field(const std::string& text);

}  // namespace hanok::data
