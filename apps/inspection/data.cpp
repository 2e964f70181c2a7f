// inspect data: one pass over all files, then tables.
#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/data_report/image_header.h"
#include "hanok/apps/inspection/inspect.h"
#include "hanok/data/dataset.h"
#include "hanok/data/image.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/mapped_file.h"
#include "hanok/weights/sha256.h"

namespace hanok::inspection {
namespace {

constexpr std::size_t kListed = 20;  // lines of each kind without --all

/// What was found in one file.
struct File {
  std::optional<data_report::ImageHeader> header;
  int width = 0, height = 0;  // as seen, after EXIF's orientation
  std::string hash;           // of its bytes; empty if they cannot be read
  std::string problem;        // why it cannot be decoded; empty for a good one
};

File read_file(const std::string& path) {
  File file;
  try {
    const auto mapped = weights::MappedFile::open(path);
    const weights::Bytes bytes = mapped->bytes();
    file.hash = weights::sha256(bytes);
    file.header = data_report::read_image_header(bytes.data(), bytes.size());
    const data::Image image = data::decode_image(bytes.data(), bytes.size(), path);
    file.width = image.width;
    file.height = image.height;
  } catch (const Error& error) {
    file.problem = error.what();
  }
  return file;
}

std::vector<File> read_files(const data::Dataset& dataset, Reporter& reporter) {
  constexpr std::size_t kAtOnce = 256;  // between two updates of the progress bar
  std::vector<File> files(dataset.samples.size());
  training::Progress progress(
      reporter, {.label = "reading", .total = static_cast<std::int64_t>(files.size())});
  for (std::size_t begin = 0; begin < files.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, files.size() - begin);
    context_of(Device::cpu()).pool.run(static_cast<std::int64_t>(count), [&](std::int64_t i) {
      const std::size_t at = begin + static_cast<std::size_t>(i);
      files[at] = read_file(dataset.full_path(at));
    });
    progress.advance(static_cast<std::int64_t>(count));
  }
  return files;
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

void print_sizes(const std::vector<File>& files, Output output) {
  std::map<std::string, std::int64_t> sizes;
  std::map<std::string, std::int64_t> modes;
  std::vector<int> shorter;
  for (const File& file : files) {
    if (!file.problem.empty()) continue;
    ++sizes[fmt::format("{}x{}", file.width, file.height)];
    shorter.push_back(std::min(file.width, file.height));
    if (file.header) ++modes[file.header->format + " " + file.header->mode];
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

void print_problems(const data::Dataset& dataset, const std::vector<File>& files, Output output) {
  std::vector<std::string> unreadable;
  std::vector<std::string> misnamed;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string& path = dataset.samples[i].path;
    if (!files[i].problem.empty()) {
      unreadable.push_back(files[i].problem);
    } else if (files[i].header && !ends_like(path, files[i].header->format)) {
      misnamed.push_back(fmt::format("{} holds a {}", path, files[i].header->format));
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

void print_duplicates(const data::Dataset& dataset, const std::vector<File>& files, Output output) {
  std::map<std::string, std::vector<std::size_t>> by_hash;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!files[i].hash.empty()) by_hash[files[i].hash].push_back(i);
  }
  std::map<std::string, std::string> lines;  // in order of the first path
  int across_classes = 0;
  int across_groups = 0;
  for (const auto& [hash, members] : by_hash) {
    if (members.size() < 2) continue;
    std::set<std::int64_t> labels;
    std::set<std::string> groups;
    std::string line;
    for (const std::size_t i : members) {
      const data::Sample& sample = dataset.samples[i];
      labels.insert(sample.label);
      groups.insert(sample.group);
      line += (line.empty() ? "" : " = ") + sample.path;
    }
    across_classes += labels.size() > 1 ? 1 : 0;
    across_groups += groups.size() > 1 ? 1 : 0;
    if (labels.size() > 1) line += "  (different classes: one label must be wrong)";
    lines[dataset.samples[members.front()].path] = line;
  }
  output.reporter.print(
      fmt::format("duplicates (equal bytes): {} photograph{} stored more than once\n", lines.size(),
                  lines.size() == 1 ? "" : "s"));
  if (lines.empty()) return;
  output.reporter.print(
      fmt::format("  {} in different classes; {} in different groups, so that a fold may validate "
                  "on images that it was trained on\n",
                  across_classes, across_groups));
  std::vector<std::string> list;
  for (const auto& [path, line] : lines) list.push_back(line);
  print_list(list, output);
}

/// Class by group, with equal rows counted together: "6 groups hold 5 x mask, 1 x none".
void print_groups(const data::Dataset& dataset, Output output) {
  if (!dataset.has_groups) {
    output.reporter.print("\ngroups: none; every photograph is a group of its own\n");
    return;
  }
  std::map<std::string, std::map<std::int64_t, std::int64_t>> rows;  // group -> label -> images
  for (const data::Sample& sample : dataset.samples) ++rows[sample.group][sample.label];
  std::map<std::string, std::int64_t> alike;
  std::int64_t smallest = 0;
  std::int64_t largest = 0;
  for (const auto& [group, counts] : rows) {
    std::int64_t images = 0;
    std::string text;
    for (const auto& [label, count] : counts) {
      images += count;
      text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", count,
                          label < 0 ? "?" : dataset.class_names[static_cast<std::size_t>(label)]);
    }
    ++alike[text];
    smallest = smallest == 0 ? images : std::min(smallest, images);
    largest = std::max(largest, images);
  }
  std::vector<std::pair<std::string, std::int64_t>> sorted(alike.begin(), alike.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  output.reporter.print(
      fmt::format("\ngroups, which never cross folds: {}, of {} to {} photographs\n  {}\n",
                  rows.size(), smallest, largest, data::describe_groups(dataset)));
  std::vector<std::string> lines;
  for (const auto& [text, count] : sorted) {
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

}  // namespace

void inspect_data(const DataOptions& options, Reporter& reporter) {
  const data::Dataset dataset = data::load_dataset(options.data, options.reading);
  reporter.print(fmt::format("{}: {} layout, {} photographs, {} classes\n", options.data,
                             dataset.layout, dataset.samples.size(), dataset.class_names.size()));
  for (const std::string& note : dataset.notes) reporter.print(note + "\n");
  for (const std::string& warning : dataset.warnings) reporter.warn(warning);
  print_split(dataset, reporter);
  const std::vector<File> files = read_files(dataset, reporter);
  const Output output{.reporter = reporter, .all = options.all};
  print_classes(dataset, output);
  print_sizes(files, output);
  print_problems(dataset, files, output);
  print_duplicates(dataset, files, output);
  print_groups(dataset, output);
}

}  // namespace hanok::inspection
