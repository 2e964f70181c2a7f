#include "hanok/apps/data_report/duplicate_sets.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "hanok/data/csv.h"

namespace hanok::data_report {
namespace {

/// Disjoint sets of numbers, joined two by two (union-find with path halving).
class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  /// The lowest number of i's set.
  std::size_t root(std::size_t i) {
    while (parent_[i] != i) {
      parent_[i] = parent_[parent_[i]];
      i = parent_[i];
    }
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

DuplicateSet classified(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
                        std::vector<std::size_t> members) {
  std::set<std::int64_t> labels;
  std::set<std::string> groups;
  std::set<data::Split> splits;
  std::set<std::uint64_t> contents;
  for (const std::size_t i : members) {
    labels.insert(dataset.samples[i].label);
    groups.insert(dataset.samples[i].group);
    splits.insert(dataset.samples[i].split);
    contents.insert(facts[i].content_hash);
  }
  return {.samples = std::move(members),
          .equal_files = contents.size() == 1,
          .across_classes = labels.size() > 1,
          .across_groups = groups.size() > 1,
          .across_split = splits.size() > 1};
}

}  // namespace

std::vector<DuplicateSet> duplicate_sets(const data::Dataset& dataset,
                                         const std::vector<ImageFacts>& facts,
                                         const std::vector<NearPair>& near) {
  DisjointSets joined(facts.size());
  for (const std::vector<std::size_t>& members : equal_files(facts)) {
    for (const std::size_t i : members) joined.join(members.front(), i);
  }
  for (const NearPair& pair : near) joined.join(pair.first, pair.second);
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < facts.size(); ++i) members[joined.root(i)].push_back(i);
  std::vector<DuplicateSet> sets;
  for (auto& [root, samples] : members) {
    if (samples.size() > 1) sets.push_back(classified(dataset, facts, std::move(samples)));
  }
  std::stable_sort(sets.begin(), sets.end(), [](const DuplicateSet& a, const DuplicateSet& b) {
    return std::tuple(!a.across_classes, !a.across_split, !a.across_groups, !a.equal_files) <
           std::tuple(!b.across_classes, !b.across_split, !b.across_groups, !b.equal_files);
  });
  return sets;
}

std::vector<std::string> proposed_groups(const data::Dataset& dataset,
                                         const std::vector<DuplicateSet>& duplicates) {
  std::map<std::string, std::size_t> number_of;  // in byte order: a set's root is its first name
  for (const data::Sample& sample : dataset.samples) number_of.emplace(sample.group, 0);
  std::vector<std::string> names;
  for (auto& [name, number] : number_of) {
    number = names.size();
    names.push_back(name);
  }
  DisjointSets joined(names.size());
  for (const DuplicateSet& set : duplicates) {
    const std::size_t first = number_of.at(dataset.samples[set.samples.front()].group);
    for (const std::size_t i : set.samples) {
      joined.join(first, number_of.at(dataset.samples[i].group));
    }
  }
  std::vector<std::string> groups;
  for (const data::Sample& sample : dataset.samples) {
    groups.push_back(names[joined.root(number_of.at(sample.group))]);
  }
  return groups;
}

std::string groups_to_csv(const data::Dataset& dataset, const std::vector<std::string>& groups) {
  std::string out = "path,group\n";
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    out += data::csv_field(dataset.samples[i].path) + "," + data::csv_field(groups[i]) + "\n";
  }
  return out;
}

}  // namespace hanok::data_report
