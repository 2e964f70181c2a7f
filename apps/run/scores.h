// A confusion matrix as readable tables and as JSON. Private to this room.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hanok/nn/metrics.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// An array of rows: truth down, predictions across.
nlohmann::ordered_json matrix_to_json(const nn::ConfusionMatrix& matrix);
/// macro_f1, macro_precision, macro_recall, accuracy, images.
nlohmann::ordered_json scores_json(const nn::ConfusionMatrix& matrix);
/// Precision, recall, F1 and support by class name.
nlohmann::ordered_json per_class_json(const nn::ConfusionMatrix& matrix,
                                      const std::vector<std::string>& class_names);

/// Precision, recall, F1 and support of each class: printable.
std::string class_table(const nn::ConfusionMatrix& matrix,
                        const std::vector<std::string>& class_names);
/// Counts with a row for each true class and a column for each prediction, by number: printable.
std::string confusion_table(const nn::ConfusionMatrix& matrix,
                            const std::vector<std::string>& class_names);

}  // namespace hanok::training
#pragma GCC visibility pop
