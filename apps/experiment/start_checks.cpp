#include "hanok/apps/experiment/start_checks.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/training/features/feature_cache_plan.h"
#include "hanok/apps/training/optimization.h"
#include "hanok/apps/training/samples/experiment_split.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {
namespace {

/// How files begin that are no tables of images.
struct FileKind {
  std::string_view beginning;
  const char* name;
};
constexpr std::array<FileKind, 12> kNoTables = {{
    {{"PK\x03\x04", 4}, "a ZIP archive (or an Excel workbook); unpack it (save it as CSV)"},
    {{"\x1F\x8B", 2}, "a gzip archive; unpack it"},
    {{"BZh", 3}, "a bzip2 archive; unpack it"},
    {{"\xFD"
      "7zXZ",
      5},
     "an xz archive; unpack it"},
    {{"7z\xBC\xAF", 4}, "a 7z archive; unpack it"},
    {{"Rar!", 4}, "a RAR archive; unpack it"},
    {{"\xFF\xD8\xFF", 3}, "a single photograph (JPEG)"},
    {{"\x89PNG", 4}, "a single photograph (PNG)"},
    {{"GIF8", 4}, "a single photograph (GIF)"},
    {{"RIFF", 4}, "a single photograph (WebP)"},
    {{"%PDF", 4}, "a PDF document"},
    {{"PAR1", 4}, "a Parquet file; save it as CSV"},
}};

void check_data_path(const std::string& data) {
  const auto refuse = [&data](const std::string& what) {
    throw UsageError(fmt::format(
        "--data: {}: {}; --data names the folder with the images, or a table of them (CSV)", data,
        what));
  };
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(data, error);
  if (is_directory(status)) return;
  if (!exists(status)) {
    const bool missing = status.type() == std::filesystem::file_type::not_found;
    throw UsageError(
        fmt::format("--data: {}: {}", data, missing ? "no such folder" : error.message()));
  }
  if (!is_regular_file(status)) refuse("is neither a folder nor a file");
  std::array<char, 512> bytes{};
  std::ifstream file(data, std::ios::binary);
  if (!file) refuse(std::strerror(errno));
  file.read(bytes.data(), bytes.size());
  const std::string_view text(bytes.data(), static_cast<std::size_t>(file.gcount()));
  if (text.empty()) refuse("is empty");
  for (const FileKind& kind : kNoTables) {
    if (text.substr(0, kind.beginning.size()) == kind.beginning) {
      refuse(fmt::format("is {}", kind.name));
    }
  }
  if (text.size() > 262 && text.substr(257, 5) == "ustar") refuse("is a tar archive; unpack it");
}

std::int64_t bytes_of(const nn::StateDict& tensors) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<std::int64_t>(tensor.bytes());
  return bytes;
}

/// Tensors of a parameter's size that the optimiser keeps for each.
int moments(OptimizerKind kind) {
  return kind == OptimizerKind::AdamW || kind == OptimizerKind::Adam ? 2 : 1;
}

/// Folds that will be trained.
std::int64_t fold_count(const Options& options, const data::Dataset& dataset) {
  if (options.fold || options.val_fraction > 0) return 1;
  if (!options.folds_file.empty()) return 2;  // at least
  const FoldCount folds = resolved_folds(options, dataset);
  return folds.kind == FoldCount::Kind::Given ? 1 : folds.number * options.repeats;
}

std::unique_ptr<nn::Module> network(const Options& options, std::int64_t classes) {
  const nn::WithoutInit without_init;
  try {
    return make_network(options.model, classes, options.image_size, options.hidden);
  } catch (const ValueError& error) {
    throw UsageError(fmt::format("--model, --image-size: {}", error.what()));
  }
}

/// Empty, or why a file of so many bytes does not fit on the disk: a quota may leave less than
/// there is. File systems that cannot reserve space at once say nothing.
std::string reservation_problem(const std::string& folder, std::int64_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < static_cast<rlim_t>(bytes)) {
    return "";  // checkpoints are several files; a reservation beyond the limit ends the process
  }
  std::string probe = folder + "/.hanok-probe-XXXXXX";
  const int file = ::mkstemp(probe.data());
  if (file < 0) return std::strerror(errno);
  ::unlink(probe.c_str());
  const int error = ::fallocate(file, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  ::close(file);
  return error == ENOSPC || error == EDQUOT ? std::strerror(error) : "";
}

std::string mebibytes(std::int64_t bytes) {
  constexpr std::int64_t kMebi = std::int64_t{1} << 20;
  if (bytes >= 10240 * kMebi) return fmt::format("{} GiB", bytes / kMebi / 1024);
  return fmt::format("{} MiB", (bytes + kMebi - 1) / kMebi);
}

}  // namespace

void check_texts(const Options& options) {
  for (const OptionEntry& entry : option_table()) {
    for (const std::string& text : entry.get(options)) {
      if (text.find('\0') != std::string::npos) {
        throw UsageError(
            fmt::format("--{}: \"{}\" holds a NUL character, which no name of a file "
                        "may hold",
                        entry.name, text.substr(0, text.find('\0'))));
      }
      if (is_utf8(text)) continue;
      throw UsageError(fmt::format(
          "--{}: \"{}\" is not UTF-8 text, which config.toml requires; rename the file or folder",
          entry.name, text));
    }
  }
}

void check_named_files(const Options& options) {
  check_data_path(options.data);
  const auto check_file = [](const char* option, const std::string& path) {
    if (path.empty()) return;
    try {
      check_can_be_read(path);
    } catch (const IoError& error) {
      throw IoError(fmt::format("{}: {}", option, error.what()));
    }
  };
  check_file("--group", options.group.file);
  check_file("--folds-file", options.folds_file);
  check_file("--corrections", options.corrections);
  start_weights(options);
}

void check_network(const Options& options, std::int64_t classes) {
  const std::unique_ptr<nn::Module> model = network(options, classes);
  const std::string head = nn::head_name(options.model);
  const std::string start = start_weights(options);
  const std::vector<weights::Rename> renames = start_renames(options);
  if (!start.empty()) start_from(*model, options.model, {.path = start, .renames = renames});
  const auto named = [](const char* option, const auto& action) {
    try {
      action();
    } catch (const ValueError& error) {
      throw UsageError(fmt::format("{}: {}", option, error.what()));
    }
  };
  named("--freeze", [&] {
    FreezingRules rules = freezing_rules(options);
    rules.unfreeze_at.clear();
    const FreezingPlan plan(*model, head, rules);
  });
  named("--unfreeze-at", [&] {
    const FreezingPlan plan(*model, head, freezing_rules(options));
    named("--lr-group", [&] { parameter_groups(options, *model, plan); });
  });
  plan_feature_cache(options, *model, {});  // throws if --cache-features cannot be done
  if (trainable_parameters(*model) == 0) {
    throw UsageError("--freeze: freezes everything; no parameter is left to train");
  }
}

void check_apart(const std::string& data, const std::string& out) {
  std::error_code error;
  if (!std::filesystem::equivalent(data, out, error) || error) return;
  throw UsageError(fmt::format(
      "--out: {} is the folder of the data, where the run's folders would look like classes; name "
      "another one, such as {}",
      out, (std::filesystem::path(out) / "run").string()));
}

DiskNeed disk_need(const Options& options, const data::Dataset& dataset) {
  const std::unique_ptr<nn::Module> model =
      network(options, static_cast<std::int64_t>(dataset.class_names.size()));
  const FreezingPlan plan(*model, nn::head_name(options.model), freezing_rules(options));
  const std::int64_t weights = bytes_of(model->state_dict());
  const std::int64_t moment_bytes =
      moments(options.optimizer) * trainable_parameters(*model) * static_cast<int>(sizeof(float));
  const std::int64_t last = weights * (options.ema > 0 ? 2 : 1) + moment_bytes;
  DiskNeed need;
  // best.safetensors and last/ of each fold; and while one trains the state before that, and a new
  // one beside both.
  const std::int64_t folds = fold_count(options, dataset);
  const std::int64_t at_once =
      options.spread == Spread::Folds ? std::min<std::int64_t>(ranks().size(), folds) : 1;
  need.checkpoints = folds * (weights + last) + 2 * last * at_once;
  if (options.cache_images == Caching::Yes) {
    const std::int64_t image = 3 * options.image_size * options.image_size;
    need.image_cache =
        std::max<std::int64_t>(0, static_cast<std::int64_t>(dataset.samples.size()) * image -
                                      (options.image_budget << 20));
  }
  return need;
}

std::string check_room(const std::string& run_folder, const DiskNeed& need) {
  const std::int64_t free = free_bytes(run_folder);
  std::string what = fmt::format("{} of weights and optimiser state", mebibytes(need.checkpoints));
  if (need.image_cache > 0) what += fmt::format(" and {} of images", mebibytes(need.image_cache));
  const auto refuse = [&](const std::string& reason) {
    throw IoError(
        fmt::format("--out: {}: the run writes at least {}, but {}", run_folder, what, reason));
  };
  const std::string disk = mount_point(run_folder);
  if (free < need.total()) {
    refuse(fmt::format("its disk, at {}, has {} left", disk, mebibytes(free)));
  }
  const std::string problem = reservation_problem(run_folder, need.total());
  if (!problem.empty()) refuse(problem);
  return fmt::format("run folder {}: {} to be written; its disk, at {}, has {} left\n", run_folder,
                     what, disk, mebibytes(free));
}

void check_temporary_files(const Options& options, std::int64_t classes) {
  bool needed = options.cache_images == Caching::Yes;
  if (!needed && options.cache_features != Caching::No) {
    const std::unique_ptr<nn::Module> model = network(options, classes);
    const FreezingPlan plan(*model, nn::head_name(options.model), freezing_rules(options));
    needed = plan_feature_cache(options, *model, {}).training.enabled;
  }
  if (needed) temporary_folder();
}

}  // namespace hanok::training
