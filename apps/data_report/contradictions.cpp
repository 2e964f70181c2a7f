#include "hanok/apps/data_report/contradictions.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <set>
#include <sstream>

namespace hanok::data_report {
namespace {

using Members = std::map<std::string, std::vector<std::size_t>>;

Members members_of_groups(const data::Dataset& dataset) {
  Members members;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    members[dataset.samples[i].group].push_back(i);
  }
  return members;
}

constexpr const char* kSexes[] = {"male", "female"};
constexpr const char* kAges[] = {"<30", "30-59", ">=60"};
std::size_t sex_of(std::int64_t label) { return static_cast<std::size_t>(label % 6 / 3); }
std::size_t age_of(std::int64_t label) { return static_cast<std::size_t>(label % 3); }

/// "male in 4 photographs and female in 3"; empty if there is only one.
std::string counted(const std::map<std::string, std::size_t>& counts) {
  if (counts.size() < 2) return {};
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) {
    parts.push_back(parts.empty()
                        ? fmt::format("{} in {} photograph{}", name, count, count == 1 ? "" : "s")
                        : fmt::format("{} in {}", name, count));
  }
  return fmt::format("{}", fmt::join(parts, " and "));
}

/// What a person's folder says, such as images/000123_female_Asian_45.
struct FolderName {
  std::size_t sex = 0, age = 0;
};
std::optional<FolderName> read_folder_name(const std::string& path) {
  const std::size_t end = path.rfind('/');
  if (end == std::string::npos) return {};
  const std::size_t slash = path.rfind('/', end - 1);
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  std::istringstream name(path.substr(begin, end - begin));
  std::vector<std::string> parts;
  for (std::string part; std::getline(name, part, '_');) parts.push_back(part);
  if (parts.size() != 4 || (parts[1] != kSexes[0] && parts[1] != kSexes[1])) return {};
  int years = -1;
  const char* last = parts[3].data() + parts[3].size();
  const auto [stop, error] = std::from_chars(parts[3].data(), last, years);
  if (error != std::errc() || stop != last || years < 0) return {};
  return FolderName{.sex = parts[1] == kSexes[1] ? 1U : 0U,
                    .age = years < 30   ? 0U
                           : years < 60 ? 1U
                                        : 2U};
}

std::vector<Contradiction> in_competition(const data::Dataset& dataset) {
  std::vector<Contradiction> found;
  for (const auto& [group, samples] : members_of_groups(dataset)) {
    std::map<std::string, std::size_t> sexes;
    std::map<std::string, std::size_t> ages;
    std::set<std::string> other;
    for (const std::size_t i : samples) {
      const std::int64_t label = dataset.samples[i].label;
      if (label < 0) continue;
      ++sexes[kSexes[sex_of(label)]];
      ++ages[kAges[age_of(label)]];
      const std::optional<FolderName> folder = read_folder_name(dataset.samples[i].path);
      if (!folder) continue;
      if (folder->sex != sex_of(label)) {
        other.insert(fmt::format("is {} in the table, {} by the folder's name",
                                 kSexes[sex_of(label)], kSexes[folder->sex]));
      }
      if (folder->age != age_of(label)) {
        other.insert(fmt::format("is {} in the table, {} by the folder's name",
                                 kAges[age_of(label)], kAges[folder->age]));
      }
    }
    for (const auto* counts : {&sexes, &ages}) {
      const std::string text = counted(*counts);
      if (!text.empty())
        found.push_back({.group = group, .what = "is " + text, .samples = samples});
    }
    for (const std::string& text : other) {
      found.push_back({.group = group, .what = text, .samples = samples});
    }
  }
  return found;
}

std::vector<Contradiction> in_classes(const data::Dataset& dataset) {
  constexpr double kUsual = 0.9;  // share of groups of one class that makes another one suspect
  std::vector<Contradiction> found;
  std::size_t groups = 0;
  for (const auto& [group, samples] : members_of_groups(dataset)) {
    if (samples.size() < 2) continue;
    ++groups;
    std::map<std::string, std::size_t> classes;
    for (const std::size_t i : samples) {
      const std::int64_t label = dataset.samples[i].label;
      if (label >= 0) ++classes[dataset.class_names[static_cast<std::size_t>(label)]];
    }
    const std::string text = counted(classes);
    if (!text.empty()) found.push_back({.group = group, .what = "is " + text, .samples = samples});
  }
  const double one_class = static_cast<double>(groups - found.size()) /
                           static_cast<double>(std::max<std::size_t>(1, groups));
  if (one_class < kUsual) found.clear();  // groups have several classes as a rule
  return found;
}

}  // namespace

std::vector<Contradiction> contradictions_within_groups(const data::Dataset& dataset) {
  if (!dataset.has_groups) return {};
  return dataset.layout == "competition" ? in_competition(dataset) : in_classes(dataset);
}

}  // namespace hanok::data_report
