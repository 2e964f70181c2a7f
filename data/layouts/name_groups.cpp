#include "hanok/data/layouts/name_groups.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <string_view>

#include "hanok/data/files.h"
#include "hanok/data/unicode.h"

namespace hanok::data {
namespace {

/// A file name "maksssksksss818_00.jpg" as "maksssksksss818" and "00"; the first part is empty if
/// there is no '_' with text before it.
struct NameParts {
  std::string prefix, suffix;
};

NameParts parts_of(const std::string& path) {
  const std::string stem = file_stem(path);
  const std::size_t underscore = stem.rfind('_');
  if (underscore == std::string::npos) return {};
  return {stem.substr(0, underscore), stem.substr(underscore + 1)};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// What cameras, telephones and programs put before a running number.
constexpr std::array<std::string_view, 33> kCounterWords = {
    "img",      "image",    "images",  "dsc",    "dscn",   "dscf",       "dscim",
    "sam",      "pict",     "pic",     "pics",   "pxl",    "dji",        "gopr",
    "mvimg",    "vid",      "video",   "photo",  "photos", "picture",    "foto",
    "bild",     "scan",     "frame",   "file",   "sample", "screenshot", "untitled",
    "download", "snapshot", "capture", "webcam", "crop"};

/// "20210131" at the end of `prefix` before a time of six or more digits: a telephone's date.
bool is_date_and_time(const NameParts& name) {
  constexpr std::size_t kDate = 8;
  constexpr std::size_t kTime = 6;
  if (name.prefix.size() < kDate || name.suffix.size() < kTime) return false;
  const std::string date = name.prefix.substr(name.prefix.size() - kDate);
  return std::all_of(date.begin(), date.end(), is_digit) && (date[0] == '1' || date[0] == '2') &&
         std::all_of(name.suffix.begin(), name.suffix.begin() + kTime, is_digit);
}

/// Letters alone, in lower case: "IMG_2021" -> "img".
std::string word_of(const std::string& text) {
  std::string word = folded_name(text);
  std::erase_if(word, [](char c) { return is_digit(c) || c == '_' || c == '-' || c == ' '; });
  return word;
}

/// True if the prefix is a word that says nothing about one photograph: a camera's, or the class's.
bool is_counter(const NameParts& name, const std::string& class_name) {
  if (is_date_and_time(name) || folded_name(name.prefix) == folded_name(class_name)) return true;
  if (std::any_of(name.prefix.begin(), name.prefix.end(), is_digit)) return false;
  const std::string word = word_of(name.prefix);
  const std::string class_word = word_of(class_name);
  return std::find(kCounterWords.begin(), kCounterWords.end(), word) != kCounterWords.end() ||
         word == class_word || word + "s" == class_word;
}

/// The files of each class with each prefix.
using Members = std::map<std::pair<std::int64_t, std::string>, std::int64_t>;

/// A photograph has few crops. A prefix shared by more than half of a larger class, as in
/// cat_0001.jpg ... cat_0999.jpg, only numbers the files.
constexpr std::int64_t kSurelyNumbering = 20;

std::string numbering_prefix(const Members& members, const std::vector<std::int64_t>& class_sizes) {
  for (const auto& [key, count] : members) {
    if (count > kSurelyNumbering && 2 * count > class_sizes[static_cast<std::size_t>(key.first)]) {
      return key.second;
    }
  }
  return {};
}

/// Prefixes that are no groups.
std::set<std::string> counting_prefixes(const Dataset& dataset, const std::vector<NameParts>& names,
                                        const Members& members) {
  const std::vector<std::int64_t> class_sizes = dataset.class_counts();
  std::set<std::string> counting = {""};
  for (const auto& [key, count] : members) {
    const std::int64_t size = class_sizes[static_cast<std::size_t>(key.first)];
    if (size > 1 && count == size) counting.insert(key.second);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto label = static_cast<std::size_t>(dataset.samples[i].label);
    if (is_counter(names[i], dataset.class_names[label])) counting.insert(names[i].prefix);
  }
  return counting;
}

}  // namespace

void find_name_groups(Dataset& dataset) {
  std::vector<NameParts> names;
  std::map<std::string, std::int64_t> sharing;
  Members members;
  for (const Sample& sample : dataset.samples) {
    names.push_back(parts_of(sample.path));
    const std::string& prefix = names.back().prefix;
    ++sharing[prefix];
    if (!prefix.empty()) ++members[{sample.label, prefix}];
  }
  const std::string numbering = numbering_prefix(members, dataset.class_counts());
  if (!numbering.empty()) {
    dataset.warnings.push_back(
        fmt::format("file names like '{}_...' number the files of a class, so names were not used "
                    "to find crops of one photograph",
                    numbering));
  }
  const std::set<std::string> counting = counting_prefixes(dataset, names, members);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& prefix = names[i].prefix;
    const bool shared = numbering.empty() && sharing[prefix] > 1 && counting.count(prefix) == 0;
    dataset.samples[i].group = shared ? prefix : dataset.samples[i].path;
    dataset.has_groups = dataset.has_groups || shared;
  }
  dataset.grouped_by = "file name up to its last '_'";
}

}  // namespace hanok::data
