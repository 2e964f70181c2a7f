#include "hanok/apps/training/predictions.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/apps/training/samples/corrections.h"
#include "hanok/nn/state_dict.h"

namespace hanok::training {
namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::map<std::string, nn::ConfusionMatrix> subset_confusions(
    const Evaluation& evaluation, const data::Dataset& dataset,
    const std::vector<std::string>& globs) {
  std::map<std::string, nn::ConfusionMatrix> out;
  for (const std::string& glob : globs) {
    nn::ConfusionMatrix& matrix =
        out.emplace(glob, nn::ConfusionMatrix(evaluation.classes)).first->second;
    for (std::size_t i = 0; i < evaluation.samples.size(); ++i) {
      const data::Sample& sample = dataset.samples[static_cast<std::size_t>(evaluation.samples[i])];
      if (nn::glob_matches(glob, sample.path) || nn::glob_matches(glob, file_name(sample.path))) {
        matrix.add(sample.label, evaluation.predicted[i]);
      }
    }
  }
  return out;
}

nn::ConfusionMatrix corrected_confusion(const Evaluation& evaluation,
                                        const std::vector<std::int64_t>& corrected) {
  nn::ConfusionMatrix matrix(evaluation.classes);
  for (std::size_t i = 0; i < evaluation.samples.size(); ++i) {
    const std::int64_t label = corrected[static_cast<std::size_t>(evaluation.samples[i])];
    if (label != kDropped) matrix.add(label, evaluation.predicted[i]);
  }
  return matrix;
}

double majority_macro_f1(const data::Dataset& dataset, const std::vector<std::int64_t>& training,
                         const std::vector<std::int64_t>& validation) {
  const auto label = [&dataset](std::int64_t i) {
    return dataset.samples[static_cast<std::size_t>(i)].label;
  };
  std::vector<std::int64_t> counts(dataset.class_names.size(), 0);
  for (const std::int64_t i : training) ++counts[static_cast<std::size_t>(label(i))];
  const std::int64_t majority = std::max_element(counts.begin(), counts.end()) - counts.begin();
  nn::ConfusionMatrix matrix(static_cast<std::int64_t>(counts.size()));
  for (const std::int64_t i : validation) matrix.add(label(i), majority);
  return matrix.macro_f1();
}

std::string predictions_csv(const Evaluation& evaluation, const data::Dataset& dataset,
                            std::optional<int> fold) {
  const std::size_t classes = dataset.class_names.size();
  std::string out = "path,label,prediction,probability";
  if (fold) out += ",fold";
  for (const std::string& name : dataset.class_names) out += "," + data::csv_field(name);
  out += "\n";
  for (std::size_t i = 0; i < evaluation.samples.size(); ++i) {
    const data::Sample& sample = dataset.samples[static_cast<std::size_t>(evaluation.samples[i])];
    const float* row = evaluation.probabilities.data() + i * classes;
    const auto predicted = static_cast<std::size_t>(evaluation.predicted[i]);
    out += fmt::format("{},{},{},{:.6f}", data::csv_field(sample.path),
                       data::csv_field(dataset.class_names[static_cast<std::size_t>(sample.label)]),
                       data::csv_field(dataset.class_names[predicted]), row[predicted]);
    if (fold) out += fmt::format(",{}", *fold);
    for (std::size_t c = 0; c < classes; ++c) out += fmt::format(",{:.6f}", row[c]);
    out += "\n";
  }
  return out;
}

}  // namespace hanok::training
