#include "hanok/apps/run/run_folder.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/weights/atomic_file.h"

namespace hanok::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json to_json(const EpochMetrics& m) {
  return {{"fold", m.fold},
          {"epoch", m.epoch},
          {"step", m.step},
          {"loss", m.loss},
          {"accuracy", m.accuracy},
          {"val_loss", m.val_loss},
          {"val_accuracy", m.val_accuracy},
          {"val_macro_f1", m.val_macro_f1},
          {"learning_rate", m.learning_rate},
          {"trainable_parameters", m.trainable_parameters},
          {"seconds", m.seconds},
          {"images_per_second", m.images_per_second},
          {"best", m.best},
          {"hash_chain", m.hash_chain}};
}

/// Throws FormatError if the file, or one below the folder `at`, is a link out of the run.
void refuse_links_out(const std::string& run, const fs::path& at) {
  std::error_code error;
  if (fs::is_symlink(at, error)) {
    // Where writing would make a file if there is none yet.
    const fs::path target = fs::weakly_canonical(weights::link_target(at.string()), error);
    const fs::path from_run = target.lexically_relative(fs::canonical(run, error));
    if (error || from_run.empty() || *from_run.begin() == "..") {
      throw FormatError(fmt::format(
          "{}: is a link that leads out of the run's folder, to {}; put the file itself there",
          at.string(), target.string()));
    }
    return;
  }
  if (!fs::is_directory(at, error)) return;
  for (fs::directory_iterator entry(at, error), end; !error && entry != end;
       entry.increment(error)) {
    refuse_links_out(run, entry->path());
  }
}

/// A number that JSON cannot hold (infinity, NaN) was written as null.
double number_or_nan(const ordered_json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

EpochMetrics from_json(const ordered_json& value) {
  EpochMetrics m;
  value.at("fold").get_to(m.fold);
  value.at("epoch").get_to(m.epoch);
  value.at("step").get_to(m.step);
  m.loss = number_or_nan(value.at("loss"));
  value.at("accuracy").get_to(m.accuracy);
  m.val_loss = number_or_nan(value.at("val_loss"));
  m.val_accuracy = number_or_nan(value.at("val_accuracy"));
  m.val_macro_f1 = number_or_nan(value.at("val_macro_f1"));
  value.at("learning_rate").get_to(m.learning_rate);
  value.at("trainable_parameters").get_to(m.trainable_parameters);
  value.at("seconds").get_to(m.seconds);
  value.at("images_per_second").get_to(m.images_per_second);
  value.at("best").get_to(m.best);
  m.hash_chain = value.value("hash_chain", "");
  return m;
}

std::vector<EpochMetrics> lines_in(const std::string& text, const std::string& path) {
  std::vector<EpochMetrics> lines;
  std::istringstream file(text);
  std::string line;
  while (std::getline(file, line)) {
    try {
      lines.push_back(from_json(ordered_json::parse(line)));
    } catch (const ordered_json::exception& error) {
      throw FormatError(
          fmt::format("{}: line {} {}; without that line its epoch is missing in the reports, and "
                      "nothing else",
                      path, lines.size() + 1, json_problem(error.id)));
    }
  }
  return lines;
}

std::vector<EpochMetrics> read_lines(const std::string& path) {
  if (!exists(path)) return {};
  return lines_in(read_file(path), path);
}

/// Behind those of the same fold and of folds before it.
void insert(std::vector<EpochMetrics>& lines, const EpochMetrics& metrics) {
  const auto behind = std::upper_bound(
      lines.begin(), lines.end(), metrics,
      [](const EpochMetrics& a, const EpochMetrics& b) { return a.fold < b.fold; });
  lines.insert(behind, metrics);
}

/// A file or folder in a run's own folder.
bool is_run_file(const std::string& name) {
  static const std::set<std::string> kNames = {
      "config.toml",     "folds.csv",       "unreadable.csv",
      "corrections.csv", "predictions.csv", "summary.json",
      "per_class.csv",   "metrics.jsonl",   "confusion_matrix.csv",
      "metrics.csv",     "profile.json",    "conv2d_choices.csv",
      "cudnn_plans",     "profile.txt",     "cudnn_plans.txt",
      "report.html",     "faces.csv",       "tensorboard",
      "labels.html",     "suspects.csv",    "environment.json"};
  return kNames.count(name) != 0 || fold_number(name);
}

}  // namespace

std::optional<int> fold_number(const std::string& name) {
  const std::string prefix = "fold_";
  if (name.rfind(prefix, 0) != 0) return {};
  int number = -1;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, number);
  if (error != std::errc() || stop != end || number < 0) return {};
  return number;
}

void RunFolder::check_free(const std::string& path) {
  const RunFolder folder(path);
  const std::vector<std::string> there = folder.own_files();
  if (there.empty()) return;
  if (exists(folder.config()) && exists(folder.folds())) {
    throw UsageError(
        fmt::format("--out: {} already holds a run; resume it (--resume {}) or name another folder",
                    path, path));
  }
  throw UsageError(
      fmt::format("--out: {} holds {}, which a run would overwrite; name another folder", path,
                  fmt::join(there, ", ")));
}

std::vector<std::string> RunFolder::own_files() const { return run_files(path_); }

std::vector<std::string> run_files(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return {};
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (is_run_file(name)) found.push_back(name);
  }
  if (error) throw IoError(fmt::format("{}: {}", folder, error.message()));
  std::sort(found.begin(), found.end());
  return found;
}

bool RunFolder::holds_checkpoint() const {
  for (const std::string& name : own_files()) {
    const std::optional<int> k = fold_number(name);
    if (!k) continue;
    for (const std::string& file : {last(*k), previous(*k), best(*k), fold_result(*k)}) {
      if (exists(file)) return true;
    }
  }
  return false;
}

RunFolder RunFolder::create(const std::string& path) {
  check_free(path);
  make_folder(path);
  return RunFolder(path);
}

RunFolder RunFolder::open(const std::string& path) {
  RunFolder folder(path);
  if (!exists(folder.config())) {
    throw UsageError(fmt::format("{}: holds no run (no config.toml)", path));
  }
  for (const std::string& name : folder.own_files()) refuse_links_out(path, fs::path(path) / name);
  return folder;
}

void RunFolder::remove_leftovers() const {
  std::vector<std::filesystem::path> leftovers;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(path_, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    const std::string below = entry->path().lexically_relative(path_).string();
    const bool temporary = entry->path().extension() == ".tmp";
    // "metrics.csv.24008-0.tmp", or something below "fold_0".
    const bool at_top = below.find('/') == std::string::npos;
    const std::string owner =
        at_top ? entry->path().stem().stem().string() : below.substr(0, below.find('/'));
    if (temporary && is_run_file(owner)) leftovers.push_back(entry->path());
  }
  if (error) throw IoError(fmt::format("{}: {}", path_, error.message()));
  for (const std::filesystem::path& file : leftovers) {
    std::filesystem::remove(file, error);
    if (error) throw IoError(fmt::format("{}: {}", file.string(), error.message()));
  }
}

void RunFolder::remove_previous(int k) const {
  std::error_code error;
  std::filesystem::remove(previous(k), error);
  if (error) throw IoError(fmt::format("{}: {}", previous(k), error.message()));
}

MetricsLog::MetricsLog(const RunFolder& folder)
    : folder_(folder), lines_(read_lines(folder.metrics_jsonl())) {
  read_folds();
}

MetricsLog::MetricsLog(const RunFolder& folder, int fold) : folder_(folder), fold_(fold) {}

MetricsLog MetricsLog::of_fold(const RunFolder& folder, int fold) {
  MetricsLog log(folder, fold);
  const bool begun = exists(folder.fold_metrics(fold));
  log.lines_ = read_lines(begun ? folder.fold_metrics(fold) : folder.metrics_jsonl());
  std::erase_if(log.lines_, [fold](const EpochMetrics& m) { return m.fold != fold; });
  return log;
}

bool MetricsLog::read_folds() {
  bool changed = false;
  for (const std::string& name : folder_.own_files()) {
    const std::optional<int> fold = fold_number(name);
    if (!fold || !exists(folder_.fold_metrics(*fold))) continue;
    const std::string text = read_file(folder_.fold_metrics(*fold));
    const auto [before, is_new] = gathered_.try_emplace(*fold);
    if (!is_new && before->second == text) continue;
    before->second = text;
    std::erase_if(lines_, [&](const EpochMetrics& m) { return m.fold == *fold; });
    for (const EpochMetrics& m : lines_in(text, folder_.fold_metrics(*fold))) insert(lines_, m);
    changed = true;
  }
  return changed;
}

bool MetricsLog::gather() {
  if (!read_folds()) return false;
  write();
  return true;
}

void MetricsLog::take_over() {
  read_folds();
  if (gathered_.empty()) return;
  write();
  for (const auto& [fold, text] : gathered_) {
    std::error_code error;
    std::filesystem::remove(folder_.fold_metrics(fold), error);
    if (error) throw IoError(fmt::format("{}: {}", folder_.fold_metrics(fold), error.message()));
  }
  gathered_.clear();
}

void MetricsLog::append(const EpochMetrics& metrics) {
  insert(lines_, metrics);
  write();
}

void MetricsLog::drop_from(int fold, std::int64_t first_epoch) {
  const auto dropped = std::erase_if(
      lines_, [=](const EpochMetrics& m) { return m.fold == fold && m.epoch >= first_epoch; });
  if (dropped > 0) write();
}

void MetricsLog::write() const {
  std::string jsonl;
  std::string csv;
  for (const EpochMetrics& metrics : lines_) {
    const ordered_json line = to_json(metrics);
    jsonl += line.dump() + "\n";
    std::string header;
    std::string row;
    for (const auto& [key, value] : line.items()) {
      header += (header.empty() ? "" : ",") + key;
      row += (row.empty() ? "" : ",") + value.dump();
    }
    if (csv.empty()) csv = header + "\n";
    csv += row + "\n";
  }
  if (fold_) {
    make_folder(folder_.fold(*fold_));
    write_file(folder_.fold_metrics(*fold_), jsonl);
    return;
  }
  write_file(folder_.metrics_jsonl(), jsonl);
  write_file(folder_.metrics_csv(), csv);
}

}  // namespace hanok::training
