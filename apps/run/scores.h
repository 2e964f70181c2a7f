// A confusion matrix as readable tables, as CSV and as JSON, also where there are a thousand
// classes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hanok/nn/metrics.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// With more classes than this, tables on the screen show the worst alone.
constexpr std::size_t kMostClassesShown = 30;
/// With more classes than this, the figures of each class and the matrix are in CSV files alone.
constexpr std::size_t kMostClassesInJson = 100;

/// How often images of class `truth` were taken for `answer`.
struct ConfusedPair {
  std::int64_t truth = 0, answer = 0, images = 0;
  double share = 0;  // of the images of class `truth`
};
/// The `most` pairs of different classes with the most images, first those with the larger share,
/// then by number.
std::vector<ConfusedPair> worst_pairs(const nn::ConfusionMatrix& matrix, std::size_t most);

// ---- printable ----

/// A class's name, with its middle left out if it is long.
std::string shown_name(const std::string& name);
/// Precision, recall, F1 and images of each class; of the worst, by F1, if there are many classes.
std::string class_table(const nn::ConfusionMatrix& matrix,
                        const std::vector<std::string>& class_names);
/// Which class was taken for which: the counts with a row for each true class and a column for each
/// prediction, by number, or the worst pairs if that is too wide for the screen.
std::string confusion_table(const nn::ConfusionMatrix& matrix,
                            const std::vector<std::string>& class_names);
/// True if both tables show everything.
bool fit_the_screen(const nn::ConfusionMatrix& matrix, const std::vector<std::string>& class_names);

// ---- CSV, with a header; names are quoted where needed ----

/// class,precision,recall,f1,support
std::string per_class_csv(const nn::ConfusionMatrix& matrix,
                          const std::vector<std::string>& class_names);
/// truth,CLASS,CLASS,...: a row for each true class, a column for each prediction.
std::string confusion_csv(const nn::ConfusionMatrix& matrix,
                          const std::vector<std::string>& class_names);

// ---- JSON ----

/// Where the CSV files lie, as JSON names them.
struct ScoreFiles {
  std::string per_class{}, confusion_matrix{};
};

/// An array of rows: truth down, predictions across.
nlohmann::ordered_json matrix_to_json(const nn::ConfusionMatrix& matrix);
/// The counts above 0 alone, a text "truth answer count" each: {"classes": 1000, "counts": [...]}.
nlohmann::ordered_json sparse_matrix_to_json(const nn::ConfusionMatrix& matrix);
/// The matrix has the square of so many counts, of which a file may name none.
constexpr std::int64_t kMostClassesOfFile = 10'000;
/// Reads both forms. Throws a JSON exception, or ValueError for a class out of range, more than
/// kMostClassesOfFile, or a matrix that is not square.
nn::ConfusionMatrix matrix_from_json(const nlohmann::ordered_json& value);
/// macro_f1, macro_precision, macro_recall, accuracy, images.
nlohmann::ordered_json scores_json(const nn::ConfusionMatrix& matrix);
/// Adds per_class (by name: precision, recall, f1, support) and confusion_matrix to `out`. With
/// many classes instead per_class_file, confusion_matrix_file and worst_pairs.
void add_class_scores(nlohmann::ordered_json& out, const nn::ConfusionMatrix& matrix,
                      const std::vector<std::string>& class_names, const ScoreFiles& files);
/// The figures of each class, by name.
nlohmann::ordered_json per_class_json(const nn::ConfusionMatrix& matrix,
                                      const std::vector<std::string>& class_names);

}  // namespace hanok::training
#pragma GCC visibility pop
