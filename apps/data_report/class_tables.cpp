#include "hanok/apps/data_report/class_tables.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <tuple>

namespace hanok::data_report {
namespace {

/// FNV-1a: an order that has nothing to do with that of the names, and is the same everywhere.
std::uint64_t shuffled(const std::string& name) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return hash;
}

}  // namespace

std::vector<ClassCount> class_counts(const data::Dataset& dataset) {
  std::vector<ClassCount> counts(dataset.class_names.size());
  std::vector<std::set<std::string>> groups(counts.size());
  for (std::size_t c = 0; c < counts.size(); ++c) counts[c].name = dataset.class_names[c];
  for (const data::Sample& sample : dataset.samples) {
    if (sample.label < 0) continue;
    const auto label = static_cast<std::size_t>(sample.label);
    ++counts[label].images;
    groups[label].insert(sample.group);
  }
  for (std::size_t c = 0; c < counts.size(); ++c) {
    counts[c].groups = static_cast<std::int64_t>(groups[c].size());
    counts[c].share =
        static_cast<double>(counts[c].images) / static_cast<double>(dataset.samples.size());
  }
  return counts;
}

double imbalance(const std::vector<ClassCount>& counts) {
  std::int64_t smallest = 0;
  std::int64_t largest = 0;
  for (const ClassCount& count : counts) {
    if (count.images == 0) continue;
    smallest = smallest == 0 ? count.images : std::min(smallest, count.images);
    largest = std::max(largest, count.images);
  }
  return smallest == 0 ? 0 : static_cast<double>(largest) / static_cast<double>(smallest);
}

JointTable competition_table(const data::Dataset& dataset) {
  JointTable table{};
  for (const data::Sample& sample : dataset.samples) {
    if (sample.label < 0 || sample.label >= 18) continue;
    const auto label = static_cast<std::size_t>(sample.label);
    ++table[label / 6][label / 3 % 2][label % 3];
  }
  return table;
}

std::vector<std::pair<std::string, std::int64_t>> group_patterns(const data::Dataset& dataset) {
  std::map<std::string, std::map<std::int64_t, std::int64_t>> rows;  // group -> label -> images
  for (const data::Sample& sample : dataset.samples) ++rows[sample.group][sample.label];
  std::map<std::string, std::int64_t> alike;
  for (const auto& [group, counts] : rows) {
    std::string text;
    for (const auto& [label, count] : counts) {
      text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", count,
                          label < 0 ? "?" : dataset.class_names[static_cast<std::size_t>(label)]);
    }
    ++alike[text];
  }
  std::vector<std::pair<std::string, std::int64_t>> patterns(alike.begin(), alike.end());
  std::stable_sort(patterns.begin(), patterns.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return patterns;
}

std::vector<Distribution> distributions(const data::Dataset& dataset,
                                        const std::vector<ImageFacts>& facts,
                                        double (*fact)(const ImageFacts&)) {
  std::vector<Distribution> all(dataset.class_names.size());
  for (std::size_t c = 0; c < all.size(); ++c) all[c].class_name = dataset.class_names[c];
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const std::int64_t label = dataset.samples[i].label;
    if (label < 0 || !facts[i].problem.empty()) continue;
    all[static_cast<std::size_t>(label)].values.push_back(fact(facts[i]));
  }
  std::erase_if(all, [](const Distribution& each) { return each.values.empty(); });
  return all;
}

std::vector<std::size_t> contact_sheet(const data::Dataset& dataset,
                                       const std::vector<ImageFacts>& facts, std::int64_t label,
                                       std::size_t most) {
  struct Place {
    std::size_t round;  // of its group
    std::uint64_t group, photograph;
    std::size_t sample;
  };
  std::map<std::string, std::vector<std::pair<std::uint64_t, std::size_t>>> groups;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const data::Sample& sample = dataset.samples[i];
    if (sample.label != label || !facts[i].problem.empty()) continue;
    groups[sample.group].emplace_back(shuffled(sample.path), i);
  }
  std::vector<Place> places;
  for (auto& [group, members] : groups) {
    std::sort(members.begin(), members.end());
    for (std::size_t round = 0; round < members.size(); ++round) {
      places.push_back({round, shuffled(group), members[round].first, members[round].second});
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.round, a.group, a.photograph, a.sample) <
           std::tie(b.round, b.group, b.photograph, b.sample);
  });
  std::vector<std::size_t> samples;
  for (const Place& place : places) {
    if (samples.size() == most) break;
    samples.push_back(place.sample);
  }
  return samples;
}

data::Image mean_photograph(const std::vector<ImageFacts>& facts,
                            const std::vector<std::size_t>& samples) {
  data::Image mean;
  std::vector<std::uint64_t> sums;
  std::uint64_t count = 0;
  for (const std::size_t i : samples) {
    const data::Image& small = facts[i].small;
    if (small.pixels.empty()) continue;
    mean.width = small.width;
    mean.height = small.height;
    sums.resize(small.pixels.size(), 0);
    for (std::size_t at = 0; at < sums.size(); ++at) sums[at] += small.pixels[at];
    ++count;
  }
  for (const std::uint64_t sum : sums) {
    mean.pixels.push_back(static_cast<std::uint8_t>((sum + count / 2) / count));
  }
  return mean;
}

}  // namespace hanok::data_report
