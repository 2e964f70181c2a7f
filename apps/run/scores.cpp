#include "hanok/apps/run/scores.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace hanok::training {

using nlohmann::ordered_json;

ordered_json matrix_to_json(const nn::ConfusionMatrix& matrix) {
  ordered_json rows = ordered_json::array();
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    ordered_json row = ordered_json::array();
    for (std::int64_t p = 0; p < matrix.classes(); ++p) row.push_back(matrix.count(t, p));
    rows.push_back(row);
  }
  return rows;
}

ordered_json scores_json(const nn::ConfusionMatrix& matrix) {
  return {{"macro_f1", matrix.macro_f1()},
          {"macro_precision", matrix.macro_precision()},
          {"macro_recall", matrix.macro_recall()},
          {"accuracy", matrix.accuracy()},
          {"images", matrix.total()}};
}

ordered_json per_class_json(const nn::ConfusionMatrix& matrix,
                            const std::vector<std::string>& class_names) {
  ordered_json out = ordered_json::object();
  const std::vector<nn::ClassScore> all = matrix.per_class();
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    out[class_names[c]] = {{"precision", all[c].precision},
                           {"recall", all[c].recall},
                           {"f1", all[c].f1},
                           {"support", all[c].support}};
  }
  return out;
}

std::string class_table(const nn::ConfusionMatrix& matrix,
                        const std::vector<std::string>& class_names) {
  std::size_t width = 5;
  for (const std::string& name : class_names) width = std::max(width, name.size());
  std::string out = fmt::format("{:<{}}{:>11}{:>9}{:>9}{:>9}\n", "class", width, "precision",
                                "recall", "F1", "images");
  const std::vector<nn::ClassScore> all = matrix.per_class();
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    out += fmt::format("{:<{}}{:>11.4f}{:>9.4f}{:>9.4f}{:>9}\n", class_names[c], width,
                       all[c].precision, all[c].recall, all[c].f1, all[c].support);
  }
  return out;
}

std::string confusion_table(const nn::ConfusionMatrix& matrix,
                            const std::vector<std::string>& class_names) {
  std::size_t name_width = 16;
  for (const std::string& name : class_names) name_width = std::max(name_width, name.size() + 4);
  const auto width = fmt::formatted_size("{}", matrix.total()) + 2;
  const std::size_t column = std::max<std::size_t>(width, 5);
  std::string out = fmt::format("{:<{}}", "truth \\ answer", name_width);
  for (std::size_t c = 0; c < class_names.size(); ++c) out += fmt::format("{:>{}}", c, column);
  out += "\n";
  for (std::size_t t = 0; t < class_names.size(); ++t) {
    out += fmt::format("{:<{}}", fmt::format("{:>2} {}", t, class_names[t]), name_width);
    for (std::size_t p = 0; p < class_names.size(); ++p) {
      out += fmt::format("{:>{}}",
                         matrix.count(static_cast<std::int64_t>(t), static_cast<std::int64_t>(p)),
                         column);
    }
    out += "\n";
  }
  return out;
}

}  // namespace hanok::training
