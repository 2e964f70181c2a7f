#include "hanok/apps/label_errors/labels_page.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "hanok/apps/label_errors/decisions_widget.h"
#include "hanok/data/csv.h"

namespace hanok::label_errors {
namespace {

pages::HeatMap joint_map(const RunPredictions& predictions, const Joint& joint) {
  pages::HeatMap map{.title = "Estimated labels",
                     .row_label = "label as given",
                     .column_label = "probably",
                     .rows = predictions.class_names,
                     .columns = predictions.class_names,
                     .values = joint,
                     .by_row = true};
  for (std::vector<double>& row : map.values) {
    for (double& value : row) value = std::round(value);
  }
  return map;
}

pages::Table pair_table(const RunPredictions& predictions, const Joint& joint) {
  struct Pair {
    std::size_t from, to;
    double images, share;
  };
  std::vector<Pair> pairs;
  for (std::size_t k = 0; k < joint.size(); ++k) {
    const double members = std::accumulate(joint[k].begin(), joint[k].end(), 0.0);
    for (std::size_t j = 0; j < joint.size(); ++j) {
      if (j != k && joint[k][j] >= 0.5) pairs.push_back({k, j, joint[k][j], joint[k][j] / members});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.images > b.images; });
  pages::Table table{.caption = "Which labels are probably wrong",
                     .columns = {"labelled", "probably", "images", "of that label"},
                     .rows = {},
                     .text_columns = {1},
                     .shown = 15};
  for (const Pair& pair : pairs) {
    table.rows.push_back({predictions.class_names[pair.from], predictions.class_names[pair.to],
                          fmt::format("{:.0f}", pair.images),
                          fmt::format("{:.1f}%", 100 * pair.share)});
  }
  return table;
}

/// "3 decisions are loaded from FILE: 1 kept, 2 relabelled, 0 dropped"; empty without any.
std::string describe(const MadeDecisions& made) {
  if (made.of_path.empty()) return {};
  std::map<std::string, int> count;
  for (const auto& [path, decision] : made.of_path) ++count[decision.action];
  return fmt::format(
      "{} decision{} loaded from {}: {} kept, {} relabelled, {} dropped. corrections.csv that this "
      "page saves has them as well.",
      made.of_path.size(), made.of_path.size() == 1 ? " is" : "s are", made.file, count["keep"],
      count["relabel"], count["drop"]);
}

double off_diagonal_sum(const Joint& joint) {
  double sum = 0;
  for (std::size_t k = 0; k < joint.size(); ++k) {
    sum += std::accumulate(joint[k].begin(), joint[k].end(), -joint[k][k]);
  }
  return sum;
}

}  // namespace

pages::Page labels_page(const LabelsPage& content, const ReadThumbnail& read) {
  const RunPredictions& predictions = content.predictions;
  const auto images = static_cast<double>(predictions.paths.size());
  const double errors = off_diagonal_sum(content.joint.calibrated);
  pages::Page page{.title = "Suspected labels",
                   .subtitle = fmt::format("{}: {} out-of-fold prediction{} for each photograph",
                                           fmt::join(content.runs, ", "), predictions.votes.size(),
                                           predictions.votes.size() == 1 ? "" : "s")};
  page.blocks.emplace_back(pages::Section{.id = "summary", .title = "Summary"});
  page.blocks.emplace_back(pages::Paragraph{
      .text = fmt::format(
          "{} photographs surely look like another class to networks that were not trained on "
          "them. Scaled to all labels, about {:.0f} of {:.0f} ({:.1f}%) are probably wrong. Look "
          "before you change anything: a suspect may as well be a rare but rightly labelled "
          "photograph.",
          estimated_errors(content.joint), errors, images, 100 * errors / images),
      .tone = pages::Tone::Finding});
  page.blocks.emplace_back(pair_table(predictions, content.joint.calibrated));
  if (predictions.class_names.size() <= 30) {
    page.blocks.emplace_back(pages::Figure{
        .chart = joint_map(predictions, content.joint.calibrated),
        .caption = "Confident joint (Northcutt et al. 2021), scaled to the number of labels: off "
                   "the diagonal are labels that are probably wrong."});
  }
  page.blocks.emplace_back(pages::Section{
      .id = "suspects",
      .title =
          fmt::format("The {} most suspect", std::min(content.shown, content.suspects.size()))});
  if (const std::string text = describe(content.made); !text.empty()) {
    page.blocks.emplace_back(pages::Paragraph{.text = text});
  }
  page.blocks.emplace_back(decisions_widget(content, read));
  return page;
}

std::string suspects_csv(const RunPredictions& predictions, const std::vector<Suspect>& suspects) {
  std::string out =
      "path,label,suggestion,score,label_probability,suggestion_probability,agreement,counted\n";
  const auto name = [&](std::int64_t k) {
    return data::csv_field(predictions.class_names[static_cast<std::size_t>(k)]);
  };
  for (const Suspect& suspect : suspects) {
    out += fmt::format("{},{},{},{:.6f},{:.6f},{:.6f},{:.4f},{}\n",
                       data::csv_field(predictions.paths[static_cast<std::size_t>(suspect.image)]),
                       name(suspect.label), name(suspect.suggestion), suspect.score,
                       suspect.label_probability, suspect.suggestion_probability, suspect.agreement,
                       suspect.counted ? 1 : 0);
  }
  return out;
}

}  // namespace hanok::label_errors
