// convert: turns PyTorch's weight files into safetensors, and shows what is in a weight file.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fmt/core.h>
#include <string>
#include <vector>

#include "hanok/apps/cli/manual.h"
#include "hanok/apps/inspection/weight_table.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/download.h"
#include "hanok/weights/weights.h"

namespace {

namespace weights = hanok::weights;

constexpr int kFailure = 1;
constexpr int kUsage = 2;

struct Options {
  std::string input, output, inspect, fetch;
  std::vector<std::string> metadata;  // KEY=VALUE
  bool list = false;
};

void print_notes(const weights::WeightFile& file) {
  for (const std::string& note : file.notes) fmt::print("note: {}\n", note);
}

void convert(const Options& options) {
  weights::WeightFile file = weights::load(options.input);
  // The word that other programs look for: tensors have PyTorch's names and orders of dimensions.
  file.metadata.emplace("format", "pt");
  for (const std::string& item : options.metadata) {
    const std::size_t equals = item.find('=');
    file.metadata[item.substr(0, equals)] = item.substr(equals + 1);
  }
  weights::save_safetensors(options.output, file.tensors, file.metadata);
  print_notes(file);
  fmt::print("{}: {} (from {})\n", options.output, hanok::training::describe_totals(file.tensors),
             file.format);
}

void list() {
  fmt::print("{:<20} {:>7} {:>11} {:>12}  {:<8}  {}\n", "name", "top-1", "MiB", "parameters",
             "SHA-256", "file");
  for (const weights::CatalogueEntry& entry : weights::catalogue()) {
    fmt::print("{:<20} {:>6.3f}% {:>11.3f} {:>12}  {:<8}  {}\n", entry.name, entry.top1,
               entry.mebibytes, entry.parameters,
               entry.sha256.substr(0, 8) + (entry.sha256_is_complete() ? "" : "*"), entry.url);
  }
  fmt::print("* only these digits, which stand in the file's name, are published\n");
  fmt::print("licence: {}\nfigures: {}\ncache: {}\n", weights::kCatalogueLicence,
             weights::kCatalogueSource, weights::cache_folder());
}

/// Prints the state of a download on one line: only to a terminal, and at most once per per cent.
class Progress {
 public:
  void operator()(std::int64_t done, std::int64_t total) {
    const std::int64_t percent = total > 0 ? 100 * done / total : done >> 20;
    if (::isatty(STDERR_FILENO) == 0 || percent == shown_) return;
    shown_ = percent;
    const double megabyte = 1e6;
    fmt::print(stderr, "\r{:.1f} of {:.1f} MB{}", static_cast<double>(done) / megabyte,
               static_cast<double>(total) / megabyte, done == total ? "\n" : "");
  }

 private:
  std::int64_t shown_ = -1;
};

void fetch(const Options& options) {
  const weights::CatalogueEntry& entry = weights::find_in_catalogue(options.fetch);
  fmt::print("{} ({:.1f} MiB, licence: {})\n", weights::fetch_url(entry), entry.mebibytes,
             weights::kCatalogueLicence);
  const weights::Fetched fetched = weights::fetch(entry, Progress());
  if (fetched.resumed > 0) fmt::print("continued after {} bytes\n", fetched.resumed);
  fmt::print("{}{}\n", fetched.path, fetched.was_there ? " (was there already)" : "");
  fmt::print("SHA-256 {} ({})\n", fetched.sha256,
             entry.sha256_is_complete()
                 ? "as known"
                 : "its first 8 digits as published; the others are not known");
  if (!options.input.empty()) {
    Options conversion = options;
    conversion.input = fetched.path;
    conversion.output = options.input;
    convert(conversion);
  }
}

/// Empty, or what is wrong with the combination of arguments.
std::string usage_problem(const Options& options) {
  if (options.list || !options.inspect.empty()) {
    return !(options.list && !options.inspect.empty()) && options.fetch.empty() &&
                   options.input.empty() && options.metadata.empty()
               ? ""
               : "--list and --inspect stand alone";
  }
  const bool fetching = !options.fetch.empty();
  if (fetching && !options.output.empty()) return "--fetch takes at most OUT beside the name";
  const std::string& output = fetching ? options.input : options.output;
  if (fetching && output.empty()) {
    return options.metadata.empty() ? "" : "--metadata needs OUT";
  }
  if (output.empty()) return "IN and OUT are needed (or --inspect, --list, --fetch)";
  if (std::filesystem::path(output).extension() != ".safetensors") {
    return output + ": only safetensors are written: let OUT end in .safetensors";
  }
  for (const std::string& item : options.metadata) {
    const std::size_t equals = item.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return "--metadata " + item + ": is not KEY=VALUE";
    }
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Converts weight files to safetensors, and shows what is in them.\n"
      "Reads safetensors and PyTorch's .pth files of every layout (zip, legacy, tar), judged by\n"
      "their content. Code in a .pth file is never run: whatever is not a state_dict is refused.\n",
      "convert"};
  app.add_option("IN", options.input, "the file to read");
  app.add_option("OUT", options.output, "the .safetensors file to write");
  app.add_option(
         "--inspect", options.inspect,
         "print names, shapes, types and statistics of a file's tensors (as `inspect weights`)")
      ->type_name("FILE");
  app.add_option("--metadata", options.metadata,
                 "add KEY=VALUE to the metadata of OUT, which keeps that of IN (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--list", options.list, "list the pretrained models that hanok knows");
  app.add_option("--fetch", options.fetch,
                 "fetch a listed model's file into the cache (goes on after a broken download,\n"
                 "verifies the checksum) and, if OUT is given, convert it")
      ->type_name("NAME [OUT]");
  app.footer(
      "Examples:\n"
      "  convert resnet18-f37072fd.pth resnet18.safetensors\n"
      "  convert --inspect resnet18.safetensors\n"
      "  convert --fetch resnet18\n"
      "Environment: HANOK_HOME, whose folder weights is the cache (else the user's cache folder);\n"
      "HANOK_MIRROR, a URL below which files are fetched instead of their own.\n"
      "Exit code: 0 done, 1 the file cannot be read or written, 2 wrong usage.");
  hanok::training::add_manual_options(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (const std::string problem = usage_problem(options); !problem.empty()) {
    fmt::print(stderr, "convert: {}\nRun convert --help for more information.\n", problem);
    return kUsage;
  }
  try {
    if (options.list) {
      list();
    } else if (!options.fetch.empty()) {
      fetch(options);
    } else if (!options.inspect.empty()) {
      fmt::print("{}", hanok::training::weight_table(weights::load(options.inspect)));
    } else {
      convert(options);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "convert: {}\n", error.what());
    return kFailure;
  }
  return 0;
}
