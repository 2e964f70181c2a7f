// What to say about the groups of a data set.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "hanok/data/dataset.h"

namespace hanok::data {
namespace {

/// The samples of each group, in byte order of the groups.
std::map<std::string, std::vector<std::size_t>> members_of_groups(const Dataset& dataset) {
  std::map<std::string, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    members[dataset.samples[i].group].push_back(i);
  }
  return members;
}

std::string example(const Dataset& dataset, const std::string& group,
                    const std::vector<std::size_t>& samples) {
  std::vector<std::string> files;
  for (const std::size_t i : samples) {
    if (files.size() == 2) break;
    files.push_back(dataset.samples[i].path);
  }
  return fmt::format("'{}' ({}{})", group, fmt::join(files, ", "),
                     samples.size() > 2 ? ", ..." : "");
}

}  // namespace

std::string describe_groups(const Dataset& dataset) {
  std::vector<std::string> examples;
  std::int64_t groups = 0;
  std::size_t smallest = 0, largest = 0;
  for (const auto& [group, samples] : members_of_groups(dataset)) {
    if (samples.size() < 2) continue;
    ++groups;
    smallest = smallest == 0 ? samples.size() : std::min(smallest, samples.size());
    largest = std::max(largest, samples.size());
    if (examples.size() < 2) examples.push_back(example(dataset, group, samples));
  }
  if (groups == 0) return {};
  const std::string sizes =
      smallest == largest ? fmt::format("{}", largest) : fmt::format("{} to {}", smallest, largest);
  return fmt::format("{} group{} of {} files{}, such as {}", groups, groups == 1 ? "" : "s", sizes,
                     dataset.grouped_by.empty() ? "" : " by " + dataset.grouped_by,
                     fmt::join(examples, " and "));
}

std::string groups_across_split(const Dataset& dataset) {
  std::string first;
  std::int64_t crossing = 0;
  for (const auto& [group, samples] : members_of_groups(dataset)) {
    const Sample* of_split[2] = {nullptr, nullptr};
    for (const std::size_t i : samples) {
      const Sample& sample = dataset.samples[i];
      if (sample.split == Split::None) continue;
      of_split[sample.split == Split::Train ? 0 : 1] = &sample;
    }
    if (of_split[0] == nullptr || of_split[1] == nullptr) continue;
    if (crossing++ == 0) {
      first = fmt::format("'{}' ({}, {})", group, of_split[0]->path, of_split[1]->path);
    }
  }
  if (crossing == 0) return {};
  return fmt::format(
      "{} group{} in both {} and {}, such as {}: the network is validated on what it was trained "
      "on, and its scores are too good",
      crossing, crossing == 1 ? " is" : "s are", dataset.split_folders.train,
      dataset.split_folders.val, first);
}

}  // namespace hanok::data
