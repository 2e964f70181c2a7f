// inspect data: one pass over all files, then tables.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/data_report/data_page.h"
#include "hanok/apps/data_report/feature_pairs.h"
#include "hanok/apps/data_report/shortcuts.h"
#include "hanok/apps/data_report/train_against_test.h"
#include "hanok/apps/faces/face_findings.h"
#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/text.h"
#include "hanok/apps/prediction/output_file.h"
#include "hanok/apps/run/files.h"
#include "hanok/data/dataset.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::inspection {
namespace {

using data_report::ImageFacts;

constexpr std::size_t kListed = 20;  // lines of each kind without --all

/// Throws Error after ctrl-C. Called between the steps: none takes longer than some seconds without
/// looking itself.
void stop_if_interrupted() {
  if (training::interrupted()) throw Error("interrupted; nothing was written");
}

std::vector<ImageFacts> measure(const data::Dataset& dataset, Reporter& reporter) {
  std::optional<std::vector<ImageFacts>> facts;
  {
    training::Progress progress(
        reporter, {.label = "reading", .total = static_cast<std::int64_t>(dataset.samples.size())});
    facts =
        data_report::measure_images(dataset, num_threads(), [&progress] { progress.advance(1); });
  }
  stop_if_interrupted();
  return *std::move(facts);
}

double percent(std::int64_t part, std::size_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

/// Where a report goes, and how much of it.
struct Output {
  Reporter& reporter;
  bool all;  // list everything, not the first kListed lines of each kind
};

/// Prints lines, the first kListed unless all are wanted.
void print_list(const std::vector<std::string>& lines, Output output) {
  const std::size_t shown = output.all ? lines.size() : std::min(lines.size(), kListed);
  for (std::size_t i = 0; i < shown; ++i) output.reporter.print(fmt::format("  {}\n", lines[i]));
  if (shown < lines.size()) {
    output.reporter.print(
        fmt::format("  ... and {} more (--all lists them)\n", lines.size() - shown));
  }
}

/// "  NAME   COUNT" by falling count.
void print_counts(const std::map<std::string, std::int64_t>& counts, Output output) {
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> lines;
  for (const auto& [name, count] : sorted) lines.push_back(fmt::format("{:<24}{:>9}", name, count));
  print_list(lines, output);
}

void print_classes(const data::Dataset& dataset, Output output) {
  const std::vector<std::int64_t> counts = dataset.class_counts();
  std::vector<std::set<std::string>> groups(counts.size());
  for (const data::Sample& sample : dataset.samples) {
    if (sample.label >= 0) groups[static_cast<std::size_t>(sample.label)].insert(sample.group);
  }
  std::size_t width = 5;
  for (const std::string& name : dataset.class_names) width = std::max(width, name.size());
  output.reporter.print(fmt::format("\n{:<{}}{:>9}{:>9}{}\n", "class", width, "images", "share",
                                    dataset.has_groups ? "   groups" : ""));
  for (std::size_t c = 0; c < counts.size(); ++c) {
    output.reporter.print(
        fmt::format("{:<{}}{:>9}{:>8.1f}%{}\n", dataset.class_names[c], width, counts[c],
                    percent(counts[c], dataset.samples.size()),
                    dataset.has_groups ? fmt::format("{:>9}", groups[c].size()) : ""));
  }
  std::vector<std::int64_t> filled;
  for (const std::int64_t count : counts) {
    if (count > 0) filled.push_back(count);
  }
  if (filled.size() < counts.size()) {
    output.reporter.print(fmt::format("{} classes have no image\n", counts.size() - filled.size()));
  }
  if (filled.empty()) return;
  const auto [low, high] = std::minmax_element(filled.begin(), filled.end());
  output.reporter.print(
      fmt::format("the largest class has {:.1f} times the images of the smallest\n",
                  static_cast<double>(*high) / static_cast<double>(*low)));
}

void print_sizes(const std::vector<ImageFacts>& files, Output output) {
  std::map<std::string, std::int64_t> sizes;
  std::map<std::string, std::int64_t> modes;
  std::vector<int> shorter;
  for (const ImageFacts& file : files) {
    if (!file.problem.empty()) continue;
    ++sizes[fmt::format("{}x{}", file.width, file.height)];
    shorter.push_back(std::min(file.width, file.height));
    if (!file.format.empty()) ++modes[file.format + " " + file.mode];
  }
  if (shorter.empty()) return;
  std::sort(shorter.begin(), shorter.end());
  output.reporter.print(fmt::format(
      "\nsizes, width x height as seen: {} different; shorter sides {} to {}, median {}\n",
      sizes.size(), shorter.front(), shorter.back(), shorter[shorter.size() / 2]));
  print_counts(sizes, output);
  output.reporter.print("\nformats and modes (all become 8-bit RGB):\n");
  print_counts(modes, output);
}

bool ends_like(const std::string& path, const std::string& format) {
  std::string extension = path.substr(path.rfind('.') + 1);
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static const std::map<std::string, std::set<std::string>> kExtensions = {
      {"JPEG", {"jpg", "jpeg", "jpe", "jfif"}},
      {"PNG", {"png"}},
      {"WebP", {"webp"}},
      {"BMP", {"bmp", "dib"}},
      {"GIF", {"gif"}},
      {"TIFF", {"tif", "tiff"}}};
  return kExtensions.at(format).count(extension) != 0;
}

void print_problems(const data::Dataset& dataset, const std::vector<ImageFacts>& files,
                    Output output) {
  std::vector<std::string> unreadable;
  std::vector<std::string> misnamed;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string& path = dataset.samples[i].path;
    if (!files[i].problem.empty()) {
      unreadable.push_back(files[i].problem);
    } else if (!files[i].format.empty() && !ends_like(path, files[i].format)) {
      misnamed.push_back(fmt::format("{} holds a {}", path, files[i].format));
    }
  }
  output.reporter.print(fmt::format("\nunreadable: {}\n", unreadable.size()));
  print_list(unreadable, output);
  if (!misnamed.empty()) {
    output.reporter.print(fmt::format(
        "named after another format (read by content, so harmless): {}\n", misnamed.size()));
    print_list(misnamed, output);
  }
  std::int64_t skipped = 0;
  for (const auto& [reason, count] : dataset.skipped) skipped += count;
  output.reporter.print(fmt::format("hidden and other files skipped: {}\n", skipped));
  for (const auto& [reason, count] : dataset.skipped)
    output.reporter.print(fmt::format("  {} x {}\n", count, reason));
}

/// Class by group, with equal rows counted together: "6 groups hold 5 x mask, 1 x none".
void print_groups(const data::Dataset& dataset, Output output) {
  if (!dataset.has_groups) {
    output.reporter.print("\ngroups: none; every photograph is a group of its own\n");
    return;
  }
  std::map<std::string, std::int64_t> sizes;
  for (const data::Sample& sample : dataset.samples) ++sizes[sample.group];
  const auto by_size = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [smallest, largest] = std::minmax_element(sizes.begin(), sizes.end(), by_size);
  output.reporter.print(
      fmt::format("\ngroups, which never cross folds: {}, of {} to {} photographs\n  {}\n",
                  sizes.size(), smallest->second, largest->second, data::describe_groups(dataset)));
  std::vector<std::string> lines;
  for (const auto& [text, count] : data_report::group_patterns(dataset)) {
    lines.push_back(fmt::format("{:>6} group{} with {}", count, count == 1 ? " " : "s", text));
  }
  print_list(lines, output);
}

/// Folders train and val: how many images each has, and who is in both.
void print_split(const data::Dataset& dataset, Reporter& reporter) {
  if (!dataset.has_split()) return;
  const auto in_val =
      std::count_if(dataset.samples.begin(), dataset.samples.end(),
                    [](const data::Sample& sample) { return sample.split == data::Split::Val; });
  reporter.print(fmt::format("split: {} of {} photographs, {} of {}\n", dataset.split_folders.train,
                             static_cast<std::ptrdiff_t>(dataset.samples.size()) - in_val,
                             dataset.split_folders.val, in_val));
  const std::string crossing = data::groups_across_split(dataset);
  if (!crossing.empty()) reporter.warn(crossing);
}

void apply_grouping(data::Dataset& dataset, const training::Grouping& grouping) {
  switch (grouping.kind) {
    case training::Grouping::Kind::Auto:
      return;
    case training::Grouping::Kind::None:
      for (data::Sample& sample : dataset.samples) sample.group = sample.path;
      dataset.has_groups = false;
      return;
    case training::Grouping::Kind::File:
      data::apply_group_file(dataset, grouping.file);
      return;
  }
}

/// Tables that say what the photographs in a folder are: any of them may be the one that is read.
void add_tables_in(const std::string& folder, std::vector<std::string>& inputs) {
  std::error_code error;
  for (const char* below : {"", "/train", "/images"}) {
    std::filesystem::directory_iterator entry(folder + below, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      const std::string path = entry->path().string();
      if (path.ends_with(".csv") || path.ends_with(".tsv")) inputs.push_back(path);
    }
  }
}

/// Throws UsageError or IoError if the page or the table cannot be written, or would replace data.
void check_outputs(const DataOptions& options, const std::vector<const data::Dataset*>& datasets) {
  std::vector<std::string> inputs = {options.group.file, options.data, options.against};
  for (const data::Dataset* dataset : datasets) {
    add_tables_in(dataset->root, inputs);
    for (std::size_t i = 0; i < dataset->samples.size(); ++i) {
      inputs.push_back(dataset->file_of(i));
    }
  }
  const auto check = [&inputs](const std::string& option, const std::string& path,
                               const std::string& ending) {
    if (path.empty()) return;
    if (!path.ends_with(ending)) {
      throw training::UsageError(
          fmt::format("{}: {}: the name must end with {}", option, path, ending));
    }
    training::refuse_to_overwrite(path, inputs, option);
    try {
      training::check_can_be_written(path);
    } catch (const IoError& error) {
      throw IoError(fmt::format("{}: {}", option, error.what()));
    }
  };
  check("--report", options.report, ".html");
  check("--groups-out", options.groups_out, ".csv");
}

/// Searches every photograph for faces, and says what it found.
std::vector<pages::Block> face_section(const data::Dataset& dataset,
                                       const faces::FaceFinder& finder, std::size_t pictures,
                                       Reporter& reporter) {
  const std::optional<faces::FaceTable> table =
      faces::find_faces(dataset, finder, num_threads(), reporter);
  stop_if_interrupted();
  return faces::face_blocks(*table, dataset, pictures);
}

}  // namespace

void inspect_data(const DataOptions& options, Reporter& reporter) {
  std::unique_ptr<faces::FaceFinder> finder;  // without its weights nothing is read
  if (options.faces) finder = options.make_finder();
  data::Dataset dataset = data::load_dataset(options.data, options.reading);
  apply_grouping(dataset, options.group);
  std::optional<data::Dataset> other;
  if (!options.against.empty()) other = data_report::load_other_side(options.against);
  check_outputs(options, other ? std::vector<const data::Dataset*>{&dataset, &*other}
                               : std::vector<const data::Dataset*>{&dataset});
  std::optional<data_report::FeatureNetwork> features;
  if (!options.features.empty()) {
    features.emplace(data_report::FeatureOptions{.model = options.features,
                                                 .weights = options.features_weights});
  }
  reporter.print(fmt::format("{}: {} layout, {} photographs, {} classes\n", options.data,
                             dataset.layout, dataset.samples.size(), dataset.class_names.size()));
  for (const std::string& note : dataset.notes) reporter.print(note + "\n");
  for (const std::string& warning : dataset.warnings) reporter.warn(warning);
  print_split(dataset, reporter);
  const std::vector<ImageFacts> files = measure(dataset, reporter);
  const Output output{.reporter = reporter, .all = options.all};
  print_classes(dataset, output);
  print_sizes(files, output);
  print_problems(dataset, files, output);
  print_groups(dataset, output);

  std::vector<data_report::NearPair> similar;
  if (features) similar = features->near_pairs(dataset, files, reporter);
  stop_if_interrupted();
  const data_report::DataFindings findings = data_report::find_all(dataset, files, similar);
  stop_if_interrupted();
  std::vector<pages::Block> more = data_report::shortcut_blocks(
      data_report::find_shortcuts(dataset, files, {.reporter = &reporter}));
  stop_if_interrupted();
  if (other) {
    const std::vector<ImageFacts> there = measure(*other, reporter);
    const std::vector<pages::Block> section =
        data_report::against_blocks(data_report::train_against_test(
            {.dataset = dataset, .facts = files}, {.dataset = *other, .facts = there},
            {.reporter = &reporter}));
    more.insert(more.end(), section.begin(), section.end());
  }
  if (finder) {
    constexpr std::size_t kPictures = 24;
    std::vector<pages::Block> section =
        face_section(dataset, *finder, options.report.empty() ? 0 : kPictures, reporter);
    more.insert(more.end(), section.begin(), section.end());
  }
  const data_report::DataPageInput input{.dataset = dataset,
                                         .facts = files,
                                         .findings = findings,
                                         .feature_rule = features ? features->describe() : "",
                                         .more = std::move(more)};
  const pages::Page page = options.report.empty() ? pages::Page() : data_report::data_page(input);
  stop_if_interrupted();
  reporter.print("\n" + pages::to_text(data_report::data_text(input, options.all)));
  if (!options.groups_out.empty()) {
    training::write_file(options.groups_out,
                         data_report::groups_to_csv(dataset, findings.proposed_groups));
    reporter.print("wrote " + options.groups_out + "\n");
  }
  if (!options.report.empty()) {
    pages::write_page(options.report, page);
    reporter.print("wrote " + options.report + "\n");
  }
}

}  // namespace hanok::inspection
