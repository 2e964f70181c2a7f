// Duplicates, contradictions, odd photographs and files that are not read.
#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <map>
#include <set>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/data_report/page_sections.h"

namespace hanok::data_report {
namespace {

using pages::Tone;

std::string class_of(const data::Dataset& dataset, std::size_t sample) {
  const std::int64_t label = dataset.samples[sample].label;
  return label < 0 ? "?" : dataset.class_names[static_cast<std::size_t>(label)];
}

/// Below a picture: its class, and its group where there are any.
std::vector<std::string> lines_of(const data::Dataset& dataset, std::size_t sample) {
  std::vector<std::string> lines = {class_of(dataset, sample)};
  const data::Sample& itself = dataset.samples[sample];
  if (dataset.has_groups && itself.group != itself.path) lines.push_back("group " + itself.group);
  return lines;
}

std::string meaning(const DuplicateSet& set) {
  std::string text = set.equal_files ? "equal files" : "near duplicates";
  if (set.across_classes) text += ", across classes";
  if (set.across_split) text += ", across train and val";
  if (set.across_groups) text += ", across groups";
  return text;
}

std::string joined_paths(const data::Dataset& dataset, const std::vector<std::size_t>& samples,
                         const char* separator, const Detail& detail) {
  const std::vector<std::size_t> named = detail.all_of_set ? samples : shown_of(samples);
  std::string text;
  for (const std::size_t i : named) {
    text += (text.empty() ? "" : separator) + dataset.samples[i].path;
  }
  if (named.size() < samples.size()) {
    text += fmt::format(" and {} more", samples.size() - named.size());
  }
  return text;
}

std::size_t count_if(const std::vector<DuplicateSet>& sets, bool DuplicateSet::*what) {
  return static_cast<std::size_t>(std::count_if(
      sets.begin(), sets.end(), [what](const DuplicateSet& set) { return set.*what; }));
}

std::size_t different(const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin(), names.end()).size();
}

void add_duplicate_findings(Blocks& blocks, const DataPageInput& input) {
  const std::vector<DuplicateSet>& sets = input.findings.duplicates;
  const auto add = [&blocks](Tone tone, const std::string& text) {
    blocks.emplace_back(pages::Paragraph{text, tone});
  };
  const std::size_t equal = count_if(sets, &DuplicateSet::equal_files);
  if (sets.empty()) {
    add(Tone::Finding, "No photograph is there twice, neither equal nor nearly equal.");
    return;
  }
  add(Tone::Finding,
      fmt::format("{} shown more than once: {} as equal files, {} as near duplicates.",
                  training::counted(sets.size(), "photograph is", "photographs are"), equal,
                  sets.size() - equal));
  const std::size_t classes = count_if(sets, &DuplicateSet::across_classes);
  if (classes > 0) {
    add(Tone::Warning, fmt::format("{} shown in different classes: at most one label can be right. "
                                   "Look at them below, and "
                                   "correct or remove them.",
                                   training::counted(classes, "photograph is", "photographs are")));
  }
  const std::size_t split = count_if(sets, &DuplicateSet::across_split);
  if (split > 0) {
    add(Tone::Warning, fmt::format("{} in both train and val: the validation is too good.",
                                   training::counted(split, "photograph is", "photographs are")));
  }
  const std::size_t groups = count_if(sets, &DuplicateSet::across_groups);
  if (groups == 0) return;
  std::vector<std::string> own;
  for (const data::Sample& sample : input.dataset.samples) own.push_back(sample.group);
  add(Tone::Warning,
      fmt::format(
          "{} shown {}, so that a fold may validate on what it was trained on. --groups-out "
          "FILE.csv "
          "writes groups that keep them together ({} in place of "
          "{}), and finetune --group FILE.csv uses them.",
          training::counted(groups, "photograph is", "photographs are"),
          input.dataset.has_groups ? "in different groups" : "more than once without a group",
          training::with_commas(
              static_cast<std::int64_t>(different(input.findings.proposed_groups))),
          training::with_commas(static_cast<std::int64_t>(different(own)))));
}

/// A gallery for each kind of set, in which the photographs of a set follow each other.
void add_pictures(Blocks& blocks, const DataPageInput& input, const PagePictures& pictures) {
  const std::vector<DuplicateSet>& sets = input.findings.duplicates;
  const std::size_t end = std::min(kShownSets, sets.size());
  for (std::size_t at = 0; at < end;) {
    const std::string kind = meaning(sets[at]);
    std::vector<std::size_t> samples;
    std::vector<std::vector<std::string>> lines;
    for (; at < end && meaning(sets[at]) == kind; ++at) {
      for (const std::size_t i : shown_of(sets[at].samples)) {
        samples.push_back(i);
        lines.push_back(lines_of(input.dataset, i));
        lines.back().insert(lines.back().begin(), fmt::format("photograph {}", at + 1));
      }
    }
    std::string caption = kind;
    caption.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(kind.front())));
    blocks.emplace_back(pictures.gallery(caption, samples, lines));
  }
}

std::string plural_of(Oddity oddity, std::size_t count) {
  const std::string name = name_of(oddity);
  return fmt::format("{} {} {}", training::with_commas(static_cast<std::int64_t>(count)), name,
                     count == 1 ? "photograph" : "photographs");
}

}  // namespace

Blocks duplicates_section(const DataPageInput& input, const Detail& detail) {
  const NearDuplicateOptions rule;
  Blocks blocks = {
      pages::Section{"duplicates", "Duplicates"},
      pages::Paragraph{fmt::format(
          "Two photographs are near duplicates if at most {} of the 64 bits of their perceptual "
          "hashes differ, and their brightness at 32x32 pixels correlates to {:.2f} or more. "
          "{}",
          rule.most_bits, static_cast<double>(rule.least_correlation),
          input.feature_rule.empty() ? "Mirrored and strongly cropped copies are not found."
                                     : input.feature_rule)}};
  add_duplicate_findings(blocks, input);
  const std::vector<DuplicateSet>& sets = input.findings.duplicates;
  if (sets.empty()) return blocks;
  pages::Table table{.caption = "Photographs that are shown more than once",
                     .columns = {"what they are", "photographs"},
                     .text_columns = {1},
                     .shown = 20};
  for (const DuplicateSet& set : sets) {
    table.rows.push_back({meaning(set), joined_paths(input.dataset, set.samples, " = ", detail)});
  }
  if (detail.pictures != nullptr) {
    add_pictures(blocks, input, *detail.pictures);
    if (sets.size() > kShownSets) {
      blocks.emplace_back(
          pages::Paragraph{fmt::format("{} more are in the table.", sets.size() - kShownSets)});
    }
  }
  blocks.emplace_back(std::move(table));
  return blocks;
}

Blocks contradictions_section(const DataPageInput& input, const Detail& detail) {
  const std::vector<Contradiction>& found = input.findings.contradictions;
  if (found.empty()) return {};
  std::set<std::string> groups;
  for (const Contradiction& each : found) groups.insert(each.group);
  Blocks blocks = {
      pages::Section{"contradictions", "Contradictions within a group"},
      pages::Paragraph{
          fmt::format("{} labels that cannot all be right, such as group {}, which {}.",
                      training::counted(groups.size(), "group has", "groups have"),
                      found.front().group, found.front().what),
          Tone::Warning}};
  pages::Table table{.caption = "Groups whose labels contradict each other",
                     .columns = {"group", "what it is", "photographs"},
                     .text_columns = {1, 2},
                     .shown = 20};
  for (const Contradiction& each : found) {
    table.rows.push_back(
        {each.group, each.what, joined_paths(input.dataset, each.samples, ", ", detail)});
  }
  if (detail.pictures != nullptr) {
    for (std::size_t at = 0; at < std::min(kShownContradictions, found.size()); ++at) {
      const std::vector<std::size_t> shown = shown_of(found[at].samples);
      std::vector<std::vector<std::string>> lines;
      for (const std::size_t i : shown) lines.push_back({class_of(input.dataset, i)});
      blocks.emplace_back(detail.pictures->gallery(
          fmt::format("{} {}", found[at].group, found[at].what), shown, lines));
    }
  }
  blocks.emplace_back(std::move(table));
  return blocks;
}

Blocks odd_section(const DataPageInput& input, const Detail& detail) {
  const DataFindings& findings = input.findings;
  Blocks blocks = {pages::Section{"odd", "Dark, blurred, small and odd-shaped photographs"}};
  std::map<Oddity, std::vector<OddPhotograph>> kinds;
  for (const OddPhotograph& each : findings.odd) kinds[each.oddity].push_back(each);
  if (kinds.empty()) {
    blocks.emplace_back(pages::Paragraph{
        "No photograph is dark, bright, flat, blurred, tiny or odd-shaped.", Tone::Finding});
  }
  std::string summary;
  for (const auto& [oddity, found] : kinds) {
    summary += (summary.empty() ? "" : ", ") + plural_of(oddity, found.size());
  }
  if (!summary.empty()) {
    blocks.emplace_back(pages::Paragraph{
        summary + ". Look whether a person could still tell the class.", Tone::Finding});
  }
  pages::Table table{.caption = "Photographs that stand out",
                     .columns = {"photograph", "why", "value", "class"},
                     .text_columns = {1, 2, 3},
                     .shown = 20};
  for (const OddPhotograph& each : findings.odd) {
    table.rows.push_back({input.dataset.samples[each.sample].path, name_of(each.oddity), each.text,
                          class_of(input.dataset, each.sample)});
  }
  std::string rules = "What is";
  for (const Oddity oddity : kOddities) {
    rules += fmt::format("{} {}: {}", oddity == kOddities.front() ? "" : ";", name_of(oddity),
                         describe(oddity, findings.limits));
  }
  blocks.emplace_back(pages::Paragraph{rules + "."});
  if (detail.pictures != nullptr) {
    for (const auto& [oddity, found] : kinds) {
      std::vector<std::size_t> samples;
      std::vector<std::vector<std::string>> lines;
      for (const OddPhotograph& each : shown_of(found, oddity)) {
        samples.push_back(each.sample);
        lines.push_back({each.text, class_of(input.dataset, each.sample)});
      }
      const std::string caption =
          found.size() > samples.size()
              ? fmt::format("{}, the first {}", plural_of(oddity, found.size()), samples.size())
              : plural_of(oddity, found.size());
      blocks.emplace_back(detail.pictures->gallery(caption, samples, lines));
    }
  }
  if (!table.rows.empty()) blocks.emplace_back(std::move(table));
  return blocks;
}

Blocks files_section(const DataPageInput& input) {
  Blocks blocks = {pages::Section{"files", "Files"}};
  const std::vector<std::size_t>& unreadable = input.findings.unreadable;
  if (!unreadable.empty()) {
    blocks.emplace_back(pages::Paragraph{
        fmt::format("{} cannot be read, and will be left out of training.",
                    training::counted(unreadable.size(), "photograph", "photographs")),
        Tone::Warning});
    pages::Table table{.caption = "Unreadable photographs",
                       .columns = {"photograph", "why"},
                       .text_columns = {1},
                       .shown = 20};
    for (const std::size_t i : unreadable) {
      table.rows.push_back({input.dataset.samples[i].path, input.facts[i].problem});
    }
    blocks.emplace_back(std::move(table));
  }
  std::map<std::string, std::int64_t> formats;
  for (const ImageFacts& image : input.facts) {
    if (image.problem.empty()) ++formats[image.format + " " + image.mode];
  }
  pages::Table table{.caption = "Formats; all become 8-bit RGB", .columns = {"format", "files"}};
  for (const auto& [name, count] : formats)
    table.rows.push_back({name, training::with_commas(count)});
  blocks.emplace_back(std::move(table));
  if (!input.dataset.skipped.empty()) {
    pages::Table skipped{.caption = "Hidden and other files, which are skipped",
                         .columns = {"why", "files"}};
    for (const auto& [reason, count] : input.dataset.skipped) {
      skipped.rows.push_back({reason, training::with_commas(count)});
    }
    blocks.emplace_back(std::move(skipped));
  }
  return blocks;
}

}  // namespace hanok::data_report
