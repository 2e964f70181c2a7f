#include "hanok/apps/run/scores.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <tuple>

#include "hanok/data/csv.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

using nlohmann::ordered_json;
using Names = std::vector<std::string>;

constexpr std::size_t kMostColumns = 100;  // of a matrix on the screen
constexpr std::size_t kWorstShown = 20;    // classes and pairs
constexpr std::size_t kLongestName = 40;

const std::string& name_of(const Names& names, std::int64_t number) {
  return names[static_cast<std::size_t>(number)];
}

std::size_t widest(const Names& names, std::size_t least) {
  std::size_t width = least;
  for (const std::string& name : names) width = std::max(width, shown_name(name).size());
  return width;
}

/// Numbers of the classes with the lowest F1, worst first; of equals those with more images.
std::vector<std::size_t> worst_classes(const std::vector<nn::ClassScore>& scores,
                                       std::size_t most) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < scores.size(); ++c) {
    if (scores[c].support > 0) order.push_back(c);
  }
  std::stable_sort(order.begin(), order.end(), [&scores](std::size_t a, std::size_t b) {
    return std::tuple(scores[a].f1, -scores[a].support) <
           std::tuple(scores[b].f1, -scores[b].support);
  });
  order.resize(std::min(order.size(), most));
  return order;
}

/// The widths of the matrix on the screen.
struct MatrixColumns {
  MatrixColumns(const nn::ConfusionMatrix& matrix, const Names& names)
      : name(std::max<std::size_t>(20, widest(names, 0) + 4)),
        count(std::max<std::size_t>(fmt::formatted_size("{}", matrix.total()) + 2, 5)),
        classes(names.size()) {}
  std::size_t all() const { return name + count * classes; }

  std::size_t name, count, classes;
};

std::string pairs_table(const nn::ConfusionMatrix& matrix, const Names& names) {
  const std::vector<ConfusedPair> pairs = worst_pairs(matrix, kWorstShown);
  if (pairs.empty()) return "no class was taken for another\n";
  Names shown = {"truth"};
  for (const ConfusedPair& pair : pairs) shown.push_back(name_of(names, pair.truth));
  const std::size_t width = widest(shown, 5);
  std::string out = fmt::format("classes most often taken for others\n{:>7}{:>8}  {:<{}}  {}\n",
                                "images", "share", "truth", width, "prediction");
  for (const ConfusedPair& pair : pairs) {
    out += fmt::format("{:>7}{:>7.1f}%  {:<{}}  {}\n", pair.images, 100 * pair.share,
                       shown_name(name_of(names, pair.truth)), width,
                       shown_name(name_of(names, pair.answer)));
  }
  return out;
}

}  // namespace

std::vector<ConfusedPair> worst_pairs(const nn::ConfusionMatrix& matrix, std::size_t most) {
  const std::vector<nn::ClassScore> scores = matrix.per_class();
  std::vector<ConfusedPair> pairs;
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    const auto images = static_cast<double>(scores[static_cast<std::size_t>(t)].support);
    for (std::int64_t p = 0; p < matrix.classes(); ++p) {
      const std::int64_t count = matrix.count(t, p);
      if (t == p || count == 0) continue;
      pairs.push_back({t, p, count, static_cast<double>(count) / images});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const ConfusedPair& a, const ConfusedPair& b) {
    return std::tuple(a.images, a.share) > std::tuple(b.images, b.share);
  });
  pairs.resize(std::min(pairs.size(), most));
  return pairs;
}

std::string shown_name(const std::string& name) {
  if (name.size() <= kLongestName) return name;
  const auto inside_character = [&name](std::size_t at) {  // of UTF-8
    return at < name.size() && (static_cast<unsigned char>(name[at]) & 0xC0U) == 0x80U;
  };
  std::size_t head = kLongestName / 2 - 2;
  std::size_t tail = name.size() - (kLongestName / 2 - 1);
  while (head > 0 && inside_character(head)) --head;
  while (inside_character(tail)) ++tail;
  return name.substr(0, head) + "..." + name.substr(tail);
}

std::string class_table(const nn::ConfusionMatrix& matrix, const Names& class_names) {
  const std::vector<nn::ClassScore> all = matrix.per_class();
  std::vector<std::size_t> rows(class_names.size());
  std::iota(rows.begin(), rows.end(), 0);
  const bool shortened = class_names.size() > kMostClassesShown;
  if (shortened) rows = worst_classes(all, kWorstShown);
  Names shown;
  for (const std::size_t c : rows) shown.push_back(class_names[c]);
  const std::size_t width = widest(shown, 5);
  std::string out;
  if (shortened) {
    out = fmt::format("the {} lowest F1 of {} classes\n", rows.size(), class_names.size());
  }
  out += fmt::format("{:<{}}{:>11}{:>9}{:>9}{:>9}\n", "class", width, "precision", "recall", "F1",
                     "images");
  for (const std::size_t c : rows) {
    out += fmt::format("{:<{}}{:>11.4f}{:>9.4f}{:>9.4f}{:>9}\n", shown_name(class_names[c]), width,
                       all[c].precision, all[c].recall, all[c].f1, all[c].support);
  }
  return out;
}

bool fit_the_screen(const nn::ConfusionMatrix& matrix, const Names& class_names) {
  return class_names.size() <= kMostClassesShown &&
         MatrixColumns(matrix, class_names).all() <= kMostColumns;
}

std::string confusion_table(const nn::ConfusionMatrix& matrix, const Names& class_names) {
  const MatrixColumns columns(matrix, class_names);
  if (columns.all() > kMostColumns) return pairs_table(matrix, class_names);
  std::string out = fmt::format("{:<{}}", "truth \\ prediction", columns.name);
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    out += fmt::format("{:>{}}", c, columns.count);
  }
  out += "\n";
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    out += fmt::format("{:<{}}", fmt::format("{:>2} {}", t, shown_name(name_of(class_names, t))),
                       columns.name);
    for (std::int64_t p = 0; p < matrix.classes(); ++p) {
      out += fmt::format("{:>{}}", matrix.count(t, p), columns.count);
    }
    out += "\n";
  }
  return out;
}

std::string per_class_csv(const nn::ConfusionMatrix& matrix, const Names& class_names) {
  std::string out = "class,precision,recall,f1,support\n";
  const std::vector<nn::ClassScore> all = matrix.per_class();
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    out += fmt::format("{},{:.6f},{:.6f},{:.6f},{}\n", data::csv_field(class_names[c]),
                       all[c].precision, all[c].recall, all[c].f1, all[c].support);
  }
  return out;
}

std::string confusion_csv(const nn::ConfusionMatrix& matrix, const Names& class_names) {
  std::string out = "truth";
  for (const std::string& name : class_names) out += "," + data::csv_field(name);
  out += "\n";
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    out += data::csv_field(name_of(class_names, t));
    for (std::int64_t p = 0; p < matrix.classes(); ++p) {
      out += fmt::format(",{}", matrix.count(t, p));
    }
    out += "\n";
  }
  return out;
}

ordered_json matrix_to_json(const nn::ConfusionMatrix& matrix) {
  ordered_json rows = ordered_json::array();
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    ordered_json row = ordered_json::array();
    for (std::int64_t p = 0; p < matrix.classes(); ++p) row.push_back(matrix.count(t, p));
    rows.push_back(row);
  }
  return rows;
}

ordered_json sparse_matrix_to_json(const nn::ConfusionMatrix& matrix) {
  ordered_json counts = ordered_json::array();
  for (std::int64_t t = 0; t < matrix.classes(); ++t) {
    for (std::int64_t p = 0; p < matrix.classes(); ++p) {
      const std::int64_t count = matrix.count(t, p);
      if (count > 0) counts.push_back(fmt::format("{} {} {}", t, p, count));
    }
  }
  return {{"classes", matrix.classes()}, {"counts", counts}};
}

nn::ConfusionMatrix matrix_from_json(const ordered_json& value) {
  if (value.is_object()) {
    const auto classes = value.at("classes").get<std::int64_t>();
    if (classes > kMostClassesOfFile) {
      throw ValueError(fmt::format("confusion_matrix: {} classes, at most {} are read", classes,
                                   kMostClassesOfFile));
    }
    nn::ConfusionMatrix matrix(classes);
    for (const ordered_json& entry : value.at("counts")) {
      std::istringstream text(entry.get<std::string>());
      std::int64_t truth = 0, answer = 0, count = 0;
      text >> truth >> answer >> count;
      if (!text) throw ValueError("confusion_matrix: \"" + text.str() + "\" is no count");
      matrix.add(truth, answer, count);
    }
    return matrix;
  }
  for (const ordered_json& row : value) {  // before so many squared counts are made
    if (row.size() != value.size()) throw ValueError("confusion_matrix: is not square");
  }
  nn::ConfusionMatrix matrix(static_cast<std::int64_t>(value.size()));
  for (std::size_t t = 0; t < value.size(); ++t) {
    for (std::size_t p = 0; p < value.size(); ++p) {
      matrix.add(static_cast<std::int64_t>(t), static_cast<std::int64_t>(p),
                 value.at(t).at(p).get<std::int64_t>());
    }
  }
  return matrix;
}

ordered_json scores_json(const nn::ConfusionMatrix& matrix) {
  return {{"macro_f1", matrix.macro_f1()},
          {"macro_precision", matrix.macro_precision()},
          {"macro_recall", matrix.macro_recall()},
          {"accuracy", matrix.accuracy()},
          {"images", matrix.total()}};
}

void add_class_scores(ordered_json& out, const nn::ConfusionMatrix& matrix,
                      const Names& class_names, const ScoreFiles& files) {
  if (class_names.size() <= kMostClassesInJson) {
    out["per_class"] = per_class_json(matrix, class_names);
    out["confusion_matrix"] = matrix_to_json(matrix);
    return;
  }
  out["per_class_file"] = files.per_class;
  out["confusion_matrix_file"] = files.confusion_matrix;
  out["worst_pairs"] = ordered_json::array();
  for (const ConfusedPair& pair : worst_pairs(matrix, kWorstShown)) {
    out["worst_pairs"].push_back({{"truth", name_of(class_names, pair.truth)},
                                  {"answer", name_of(class_names, pair.answer)},
                                  {"images", pair.images},
                                  {"share", pair.share}});
  }
}

ordered_json per_class_json(const nn::ConfusionMatrix& matrix, const Names& class_names) {
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

}  // namespace hanok::training
