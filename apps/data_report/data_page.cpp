#include "hanok/apps/data_report/data_page.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <variant>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/data_report/page_sections.h"

namespace hanok::data_report {
namespace {

using pages::Tone;

void append(Blocks& blocks, Blocks more) {
  std::move(more.begin(), more.end(), std::back_inserter(blocks));
}

/// Every warning, then every finding of `blocks`: what to do next stands first.
Blocks summary_of(const Blocks& blocks) {
  Blocks summary = {pages::Section{"summary", "What to look at first"}};
  for (const Tone tone : {Tone::Warning, Tone::Finding}) {
    for (const pages::Block& block : blocks) {
      const auto* paragraph = std::get_if<pages::Paragraph>(&block);
      if (paragraph != nullptr && paragraph->tone == tone) summary.push_back(*paragraph);
    }
  }
  return summary;
}

Blocks warnings_of_layout(const data::Dataset& dataset) {
  Blocks blocks;
  for (const std::string& warning : dataset.warnings) {
    blocks.emplace_back(pages::Paragraph{warning, Tone::Warning});
  }
  const std::string crossing = data::groups_across_split(dataset);
  if (!crossing.empty()) blocks.emplace_back(pages::Paragraph{crossing, Tone::Warning});
  if (!blocks.empty()) {
    blocks.insert(blocks.begin(), pages::Section{"reading", "How the data were read"});
  }
  return blocks;
}

/// Brighter where the class is brighter than all classes together, four times as strong.
data::Image difference(const data::Image& mean, const data::Image& overall) {
  data::Image image = mean;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const int value = 128 + 4 * (int{mean.pixels[i]} - int{overall.pixels[i]});
    image.pixels[i] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
  }
  return image;
}

pages::Picture enlarged(const data::Image& image) {
  return pages::lossless(data::resize(image, 96, 96));
}

Blocks means_section(const DataPageInput& input) {
  const data::Dataset& dataset = input.dataset;
  std::vector<std::vector<std::size_t>> members(dataset.class_names.size());
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const std::int64_t label = dataset.samples[i].label;
    if (label >= 0) members[static_cast<std::size_t>(label)].push_back(i);
    all.push_back(i);
  }
  const data::Image overall = mean_photograph(input.facts, all);
  if (overall.pixels.empty()) return {};
  pages::Gallery means{.caption = "Mean photograph of each class, from 32x32 pixels", .tiles = {}};
  pages::Gallery differences{
      .caption = "Its difference from the mean of all, four times as strong: grey is none",
      .tiles = {}};
  const std::size_t shown = std::min(kSheetClasses, members.size());
  for (std::size_t c = 0; c < shown; ++c) {
    const data::Image mean = mean_photograph(input.facts, members[c]);
    if (mean.pixels.empty()) continue;
    const std::string& name = dataset.class_names[c];
    means.tiles.push_back({.picture = enlarged(mean), .title = name});
    differences.tiles.push_back({.picture = enlarged(difference(mean, overall)), .title = name});
  }
  return {pages::Section{"means", "Mean photographs"},
          pages::Paragraph{"A mean that shows a sharp background, a frame or a colour shows what "
                           "a network may learn instead of the class."},
          std::move(means), std::move(differences)};
}

Blocks sheets_section(const DataPageInput& input, const PagePictures& pictures) {
  Blocks blocks = {pages::Section{"sheets", "Photographs of each class"},
                   pages::Paragraph{"Chosen by their names alone, one of each group before a "
                                    "second of any."}};
  const std::size_t shown = pictures.sheets().size();
  for (std::size_t label = 0; label < shown; ++label) {
    const std::vector<std::size_t>& samples = pictures.sheets()[label];
    if (samples.empty()) continue;
    const std::int64_t images = input.findings.counts[label].images;
    blocks.emplace_back(
        pictures.gallery(fmt::format("{}: {} of {}", input.dataset.class_names[label],
                                     samples.size(), training::with_commas(images)),
                         samples, {}));
  }
  if (shown < input.dataset.class_names.size()) {
    blocks.emplace_back(pages::Paragraph{fmt::format("The first {} of {} classes are shown.", shown,
                                                     input.dataset.class_names.size())});
  }
  return blocks;
}

/// Calls change(table) for each table.
template <typename Change>
void change_tables(Blocks& blocks, const Change& change) {
  for (pages::Block& block : blocks) {
    if (auto* table = std::get_if<pages::Table>(&block)) change(*table);
  }
}

pages::Page with_summary(const DataPageInput& input, Blocks sections) {
  pages::Page page;
  page.title = "Data report";
  page.subtitle =
      fmt::format("{}: {} layout, {}, {} classes", input.dataset.root, input.dataset.layout,
                  training::counted(input.dataset.samples.size(), "photograph", "photographs"),
                  input.dataset.class_names.size());
  page.blocks = summary_of(sections);
  append(page.blocks, std::move(sections));
  return page;
}

}  // namespace

pages::Page data_page(const DataPageInput& input) {
  const PagePictures pictures(input.dataset, input.facts, input.findings);
  Blocks sections;
  append(sections, warnings_of_layout(input.dataset));
  append(sections, counts_section(input));
  append(sections, contradictions_section(input, {.pictures = &pictures}));
  append(sections, duplicates_section(input, {.pictures = &pictures}));
  append(sections, input.more);
  append(sections, facts_section(input));
  append(sections, means_section(input));
  append(sections, odd_section(input, {.pictures = &pictures}));
  append(sections, sheets_section(input, pictures));
  append(sections, files_section(input));
  change_tables(sections, [](pages::Table& table) {
    table.where_all = "`inspect data` with --all lists them";
  });
  return with_summary(input, std::move(sections));
}

pages::Page data_text(const DataPageInput& input, bool all) {
  const Detail detail{.all_of_set = all};
  Blocks sections;
  append(sections, contradictions_section(input, detail));
  append(sections, duplicates_section(input, detail));
  append(sections, input.more);
  append(sections, odd_section(input, detail));
  change_tables(sections, [all](pages::Table& table) {
    table.where_all = "--all lists them";
    if (all) table.shown = table.rows.size();
  });
  pages::Page page = with_summary(input, std::move(sections));
  page.title = "Findings";
  page.subtitle.clear();
  return page;
}

}  // namespace hanok::data_report
