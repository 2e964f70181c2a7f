#include "hanok/apps/run/fold_result.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "hanok/apps/run/files.h"
#include "hanok/apps/run/fnv_hash.h"
#include "hanok/apps/run/scores.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

using nlohmann::ordered_json;

/// What JSON has of a fold's matrices: all counts (those above 0 alone, if there are many classes),
/// or none where a file beside it has them.
enum class Matrices { Whole, InFiles };

ordered_json kept_matrix(const nn::ConfusionMatrix& matrix) {
  const bool dense = static_cast<std::size_t>(matrix.classes()) <= kMostClassesInJson;
  return dense ? matrix_to_json(matrix) : sparse_matrix_to_json(matrix);
}

struct MeanAndDeviation {
  double mean = 0, deviation = 0;
};
MeanAndDeviation statistics(const std::vector<double>& values) {
  MeanAndDeviation out;
  for (const double value : values) out.mean += value;
  out.mean /= static_cast<double>(values.size());
  for (const double value : values) out.deviation += (value - out.mean) * (value - out.mean);
  out.deviation = std::sqrt(out.deviation / static_cast<double>(values.size()));
  return out;
}

MeanAndDeviation macro_f1_statistics(const std::vector<FoldResult>& folds) {
  std::vector<double> values;
  for (const FoldResult& fold : folds) values.push_back(fold.confusion.macro_f1());
  return statistics(values);
}

ordered_json fold_json(const FoldResult& fold, Matrices matrices) {
  ordered_json out = {{"fold", fold.fold},
                      {"macro_f1", fold.confusion.macro_f1()},
                      {"accuracy", fold.confusion.accuracy()},
                      {"val_loss", fold.val_loss},
                      {"best_epoch", fold.best_epoch},
                      {"epochs", fold.epochs},
                      {"steps", fold.steps},
                      {"majority_macro_f1", fold.majority_macro_f1},
                      {"weights_hash", fold.weights_hash},
                      {"last_weights_hash", fold.last_weights_hash},
                      {"seconds", fold.seconds},
                      {"training_seconds", fold.training_seconds},
                      {"images_trained", fold.images_trained},
                      {"peak_memory_bytes", fold.peak_memory_bytes}};
  if (matrices == Matrices::Whole) out["confusion_matrix"] = kept_matrix(fold.confusion);
  if (fold.split_into > 0) out["split_into"] = fold.split_into;
  if (fold.recomputed_blocks > 0) out["recomputed_blocks"] = fold.recomputed_blocks;
  if (!fold.cuda_graph.empty()) out["cuda_graph"] = fold.cuda_graph;
  if (fold.shuffled_labels_macro_f1) {
    out["shuffled_labels_macro_f1"] = *fold.shuffled_labels_macro_f1;
  }
  if (fold.corrected) out["corrected_macro_f1"] = fold.corrected->macro_f1();
  if (matrices == Matrices::InFiles) return out;
  if (fold.corrected) out["corrected_confusion_matrix"] = kept_matrix(*fold.corrected);
  ordered_json subsets = ordered_json::object();
  for (const auto& [glob, matrix] : fold.subsets) subsets[glob] = kept_matrix(matrix);
  out["subsets"] = subsets;
  return out;
}

/// One hash over the folds' hashes, in order; that of the only fold is its own.
template <typename Member>
std::string joined_hash(const std::vector<FoldResult>& folds, Member member) {
  if (folds.size() == 1) return folds.front().*member;
  FnvHash hash;
  for (const FoldResult& fold : folds) hash.add(fold.*member);
  return hash.hex();
}

}  // namespace

std::string to_json_text(const FoldResult& result) {
  return fold_json(result, Matrices::Whole).dump(2) + "\n";
}

FoldResult fold_result_from_json(const std::string& path, const std::string& text) {
  try {
    const ordered_json value = ordered_json::parse(text);
    const nn::ConfusionMatrix confusion = matrix_from_json(value.at("confusion_matrix"));
    FoldResult result(confusion.classes());
    result.confusion = confusion;
    value.at("fold").get_to(result.fold);
    value.at("best_epoch").get_to(result.best_epoch);
    value.at("epochs").get_to(result.epochs);
    value.at("steps").get_to(result.steps);
    result.val_loss =
        value.at("val_loss").is_null() ? std::nan("") : value.at("val_loss").get<double>();
    value.at("majority_macro_f1").get_to(result.majority_macro_f1);
    value.at("weights_hash").get_to(result.weights_hash);
    value.at("last_weights_hash").get_to(result.last_weights_hash);
    value.at("seconds").get_to(result.seconds);
    value.at("training_seconds").get_to(result.training_seconds);
    value.at("images_trained").get_to(result.images_trained);
    value.at("peak_memory_bytes").get_to(result.peak_memory_bytes);
    result.split_into = value.value("split_into", std::int64_t{0});
    result.recomputed_blocks = value.value("recomputed_blocks", std::int64_t{0});
    result.cuda_graph = value.value("cuda_graph", "");
    if (value.contains("shuffled_labels_macro_f1")) {
      result.shuffled_labels_macro_f1 = value.at("shuffled_labels_macro_f1").get<double>();
    }
    if (value.contains("corrected_confusion_matrix")) {
      result.corrected = matrix_from_json(value.at("corrected_confusion_matrix"));
    }
    for (const auto& [glob, matrix] : value.at("subsets").items()) {
      result.subsets.emplace(glob, matrix_from_json(matrix));
    }
    return result;
  } catch (const ordered_json::exception& error) {
    throw FormatError(
        fmt::format("{}: {}; without that file --resume computes the end of the fold again", path,
                    json_problem(error.id)));
  } catch (const ValueError& error) {
    throw FormatError(fmt::format("{}: {}", path, error.what()));
  }
}

std::string summary_json(const std::vector<FoldResult>& folds,
                         const std::vector<std::string>& class_names,
                         const std::vector<data::BadImage>& bad_images) {
  const nn::ConfusionMatrix all = pooled(folds);
  const MeanAndDeviation f1 = macro_f1_statistics(folds);
  const auto best =
      std::max_element(folds.begin(), folds.end(), [](const FoldResult& a, const FoldResult& b) {
        return a.confusion.macro_f1() < b.confusion.macro_f1();
      });
  double seconds = 0;
  double training_seconds = 0;
  std::int64_t images = 0;
  std::int64_t peak = 0;
  std::vector<double> majority;
  std::vector<double> shuffled;
  for (const FoldResult& fold : folds) {
    seconds += fold.seconds;
    training_seconds += fold.training_seconds;
    images += fold.images_trained;
    peak = std::max(peak, fold.peak_memory_bytes);
    majority.push_back(fold.majority_macro_f1);
    if (fold.shuffled_labels_macro_f1) shuffled.push_back(*fold.shuffled_labels_macro_f1);
  }
  const bool many = class_names.size() > kMostClassesInJson;
  ordered_json out = {{"version", 1},
                      {"macro_f1", f1.mean},
                      {"macro_f1_deviation", f1.deviation},
                      {"accuracy", all.accuracy()},
                      {"best_fold", best->fold},
                      {"best_epoch", best->best_epoch},
                      {"seconds", seconds},
                      {"images_per_second",
                       training_seconds > 0 ? static_cast<double>(images) / training_seconds : 0.0},
                      {"peak_memory_bytes", peak},
                      {"weights_hash", joined_hash(folds, &FoldResult::weights_hash)},
                      {"last_weights_hash", joined_hash(folds, &FoldResult::last_weights_hash)},
                      {"majority_macro_f1", statistics(majority).mean},
                      {"class_names", class_names}};
  // The names of RunFolder::per_class() and confusion_matrix(), which lie beside summary.json.
  add_class_scores(out, all, class_names,
                   {.per_class = "per_class.csv", .confusion_matrix = "confusion_matrix.csv"});
  out["pooled"] = scores_json(all);
  if (folds.front().corrected) {
    nn::ConfusionMatrix corrected(all.classes());
    std::vector<double> values;
    for (const FoldResult& fold : folds) {
      corrected.merge(*fold.corrected);
      values.push_back(fold.corrected->macro_f1());
    }
    out["corrected"] = scores_json(corrected);
    out["corrected"]["mean_macro_f1"] = statistics(values).mean;
  }
  if (!shuffled.empty()) out["shuffled_labels_macro_f1"] = statistics(shuffled).mean;
  ordered_json subsets = ordered_json::object();
  for (const auto& [glob, ignored] : folds.front().subsets) {
    nn::ConfusionMatrix matrix(all.classes());
    for (const FoldResult& fold : folds) matrix.merge(fold.subsets.at(glob));
    subsets[glob] = scores_json(matrix);
    if (!many) subsets[glob]["per_class"] = per_class_json(matrix, class_names);
  }
  out["subsets"] = subsets;
  ordered_json bad = ordered_json::array();
  for (const data::BadImage& image : bad_images) {
    bad.push_back({{"path", image.path}, {"reason", image.reason}});
  }
  out["unreadable_images"] = bad;
  ordered_json each = ordered_json::array();
  for (const FoldResult& fold : folds) {
    each.push_back(fold_json(fold, many ? Matrices::InFiles : Matrices::Whole));
  }
  out["folds"] = each;
  // A file's name may be any bytes.
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string final_table(const std::vector<FoldResult>& folds) {
  std::string out = fmt::format("{:<6}{:>10}{:>10}{:>12}{:>12}", "fold", "macro F1", "accuracy",
                                "best epoch", "majority F1");
  const bool shuffled = folds.front().shuffled_labels_macro_f1.has_value();
  if (shuffled) out += fmt::format("{:>20}", "shuffled labels F1");
  if (folds.front().corrected) out += fmt::format("{:>21}", "F1, corrected labels");
  for (const auto& [glob, ignored] : folds.front().subsets) out += fmt::format("  F1 on {}", glob);
  out += "\n";
  for (const FoldResult& fold : folds) {
    out +=
        fmt::format("{:<6}{:>10.4f}{:>10.4f}{:>12}{:>12.4f}", fold.fold, fold.confusion.macro_f1(),
                    fold.confusion.accuracy(), fold.best_epoch, fold.majority_macro_f1);
    if (fold.shuffled_labels_macro_f1) {
      out += fmt::format("{:>20.4f}", *fold.shuffled_labels_macro_f1);
    }
    if (fold.corrected) out += fmt::format("{:>21.4f}", fold.corrected->macro_f1());
    for (const auto& [glob, matrix] : fold.subsets) {
      out += fmt::format("  {:>{}.4f}", matrix.macro_f1(), glob.size() + 6);
    }
    out += "\n";
  }
  const MeanAndDeviation f1 = macro_f1_statistics(folds);
  out += fmt::format("{:<6}{:>10.4f}   (deviation {:.4f})\n", "mean", f1.mean, f1.deviation);
  if (!folds.front().corrected) return out;
  std::vector<double> corrected;
  for (const FoldResult& fold : folds) corrected.push_back(fold.corrected->macro_f1());
  return out + fmt::format("against corrected labels: mean macro F1 {:.4f}\n",
                           statistics(corrected).mean);
}

nn::ConfusionMatrix pooled(const std::vector<FoldResult>& folds) {
  nn::ConfusionMatrix all(folds.front().confusion.classes());
  for (const FoldResult& fold : folds) all.merge(fold.confusion);
  return all;
}

std::int64_t peak_memory_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace hanok::training
