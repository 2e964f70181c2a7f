// The mask competition: a table of people, and a folder of seven photographs per person.
#include <array>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <set>

#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/files.h"
#include "hanok/data/image_files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Mask state by file stem; -1 for an unknown stem.
int mask_of(const std::string& stem) {
  static const std::map<std::string, int> kMasks = {
      {"mask1", 0}, {"mask2", 0},          {"mask3", 0}, {"mask4", 0},
      {"mask5", 0}, {"incorrect_mask", 1}, {"normal", 2}};
  const auto found = kMasks.find(stem);
  return found == kMasks.end() ? -1 : found->second;
}
constexpr std::size_t kPhotographs = 7;

/// Throws a FormatError that starts with "train.csv:7: ".
[[noreturn]] void fail(const Csv& csv, std::size_t row, const std::string& what) {
  throw FormatError(fmt::format("{}:{}: {}", csv.path, csv.lines[row], what));
}

int parse_gender(const Csv& csv, std::size_t row, const std::string& text) {
  if (text == "male") return 0;
  if (text == "female") return 1;
  fail(csv, row, fmt::format("gender is '{}', expected male or female", text));
}

int parse_age(const Csv& csv, std::size_t row, const std::string& text) {
  constexpr int kMaxAge = 130;
  int age = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), age);
  if (error != std::errc() || end != text.data() + text.size() || age < 0 || age > kMaxAge) {
    fail(csv, row, fmt::format("age is '{}', expected 0..{}", text, kMaxAge));
  }
  return age;
}

/// The table's folder is the root of its paths; photographs are below images/ there.
const std::string& checked_path(const Csv& csv, std::size_t row, const std::string& text) {
  const std::string images = (std::filesystem::path(csv.path).parent_path() / "images").string();
  const std::string problem = path_problem(images, text);
  if (!problem.empty()) fail(csv, row, problem);
  return text;
}

void add_photographs(const Person& person, const std::string& folder, Dataset& dataset) {
  const std::string images = dataset.root + "/" + folder;
  std::error_code error;
  if (!std::filesystem::is_directory(images, error)) {
    dataset.warnings.push_back(
        fmt::format("id {}: no folder {} (its photographs are missing)", person.id, folder));
    return;
  }
  std::set<std::string> stems;
  for (const std::string& image : list_images(images, dataset.skipped)) {
    const std::string stem = file_stem(image);
    const int mask = mask_of(stem);
    if (mask < 0) {
      ++dataset.skipped["name other than mask1..5, incorrect_mask or normal"];
      continue;
    }
    if (!stems.insert(stem).second) {
      dataset.warnings.push_back(
          fmt::format("id {}: more than one file named {}.*", person.id, stem));
    }
    dataset.samples.push_back(
        {folder + "/" + image, 6 * mask + person.gender_age_class(), person.id});
  }
  if (stems.size() < kPhotographs) {
    dataset.warnings.push_back(fmt::format("id {}: {} of {} photographs in {}", person.id,
                                           stems.size(), kPhotographs, folder));
  }
}

}  // namespace

std::vector<std::string> competition_class_names() {
  std::vector<std::string> names;
  for (const char* mask : {"mask", "incorrect", "normal"}) {
    for (const char* gender : {"male", "female"}) {
      for (const char* age : {"<30", "30-59", ">=60"}) {
        names.push_back(fmt::format("{} {} {}", mask, gender, age));
      }
    }
  }
  return names;
}

std::vector<Person> read_people(const std::string& csv_path, std::vector<std::string>& warnings) {
  const Csv csv = read_csv(csv_path);
  const std::size_t id = csv.column("id");
  const std::size_t gender = csv.column("gender");
  const std::size_t age = csv.column("age");
  const std::size_t path = csv.column("path");
  if (csv.rows.empty()) throw FormatError(csv_path + ": has a header but no rows");
  std::vector<Person> people;
  std::set<std::string> ids;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::vector<std::string>& fields = csv.rows[row];
    if (fields[id].empty()) fail(csv, row, "id is empty");
    if (!ids.insert(fields[id]).second) {
      warnings.push_back(fmt::format("{}:{}: id {} occurs twice; both are kept in one group",
                                     csv.path, csv.lines[row], fields[id]));
    }
    people.push_back({fields[id], parse_gender(csv, row, fields[gender]),
                      parse_age(csv, row, fields[age]), checked_path(csv, row, fields[path])});
  }
  return people;
}

Dataset load_competition(const std::string& root) {
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) throw IoError(root + ": no such folder");
  Dataset dataset;
  dataset.root = root;
  dataset.layout = "competition";
  dataset.class_names = competition_class_names();
  std::string below;  // path from the root to the folder with train.csv
  if (!std::filesystem::exists(root + "/train.csv", error)) below = "train/";
  const std::string csv_path = root + "/" + below + "train.csv";
  if (!std::filesystem::exists(csv_path, error)) {
    throw IoError(root + ": contains neither train.csv nor train/train.csv");
  }
  std::set<std::string> folders;
  std::set<FileId> known;
  for (const Person& person : read_people(csv_path, dataset.warnings)) {
    const std::string folder = below + "images/" + person.path;
    const std::optional<FileId> id = file_id(root + "/" + folder);
    const bool is_new = id ? known.insert(*id).second : folders.insert(folder).second;
    if (is_new) {
      add_photographs(person, folder, dataset);
    } else {
      dataset.warnings.push_back(
          fmt::format("id {}: folder {} already belongs to an earlier row", person.id, folder));
    }
  }
  if (dataset.samples.empty()) {
    throw ValueError(csv_path + ": no person in it has photographs below images/");
  }
  dataset.has_groups = true;
  dataset.grouped_by = "id";
  return dataset;
}

}  // namespace hanok::data
