// Photographs of a run's page: the wrong answers that the networks were surest of, the answers that
// they were least sure of, the most confused pairs.
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/scores.h"
#include "hanok/apps/run_report/sections.h"
#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

constexpr int kSide = 128;  // pixels of a thumbnail's longer side

/// The two highest probabilities' difference.
float margin(const Prediction& prediction) {
  float first = 0;
  float second = 0;
  for (const float p : prediction.probabilities) {
    if (p > first) {
      second = std::exchange(first, p);
    } else if (p > second) {
      second = p;
    }
  }
  return first - second;
}

/// The class with the highest probability but for the answer's.
std::int64_t runner_up(const Prediction& prediction) {
  std::int64_t best = -1;
  float highest = -1;
  for (std::size_t c = 0; c < prediction.probabilities.size(); ++c) {
    const auto number = static_cast<std::int64_t>(c);
    if (number == prediction.answer || prediction.probabilities[c] <= highest) continue;
    highest = prediction.probabilities[c];
    best = number;
  }
  return best;
}

/// The first `most` that `accepted` takes, ordered by `key` (lowest first, then by path and fold).
std::vector<std::size_t> chosen(const RunRecord& run, std::size_t most,
                                const std::function<bool(const Prediction&)>& accepted,
                                const std::function<float(const Prediction&)>& key) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < run.predictions.size(); ++i) {
    if (accepted(run.predictions[i])) order.push_back(i);
  }
  const auto rank = [&](std::size_t i) {
    const Prediction& p = run.predictions[i];
    return std::tuple<float, const std::string&, int>(key(p), p.path, p.fold);
  };
  std::sort(order.begin(), order.end(),
            [&rank](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  std::set<std::string> paths;
  std::vector<std::size_t> out;
  for (const std::size_t i : order) {
    if (out.size() == most) break;
    if (paths.insert(run.predictions[i].path).second) out.push_back(i);
  }
  return out;
}

std::string percent(float share) { return fmt::format("{:.1f}%", 100 * share); }

/// Two images of one size, the second to the right of the first.
data::Image side_by_side(const data::Image& left, const data::Image& right) {
  constexpr int kGap = 4;  // pixels, white
  data::Image out{.width = left.width + kGap + right.width, .height = left.height, .pixels = {}};
  out.pixels.assign(out.row_offset(out.height), 255);
  for (int y = 0; y < out.height; ++y) {
    std::copy_n(left.row(y), std::size_t{3} * left.width, out.row(y));
    std::copy_n(right.row(y), std::size_t{3} * right.width,
                out.row(y) + std::size_t{3} * (left.width + kGap));
  }
  return out;
}

/// The path without the folder of its class, which the label says already.
std::string title_of(const std::string& path, const std::string& label) {
  return path.rfind(label + "/", 0) == 0 ? path.substr(label.size() + 1) : path;
}

/// Draws galleries, and counts the photographs that are not there.
class GalleryMaker {
 public:
  GalleryMaker(const RunRecord& run, const Overlays& overlays) : run_(run), overlays_(overlays) {}

  pages::Gallery gallery(const std::vector<std::size_t>& numbers, const std::string& caption) {
    pages::Gallery out{.caption = caption};
    for (const std::size_t i : numbers) add(out, i);
    return out;
  }
  /// What kept photographs off the page; empty if nothing did.
  std::string problems() const {
    if (missing_ == 0) return "";
    return fmt::format("{} of the photographs chosen for this page cannot be read any more ({}).",
                       missing_, first_problem_);
  }

 private:
  void add(pages::Gallery& gallery, std::size_t number) {
    const Prediction& prediction = run_.predictions[number];
    const std::vector<std::string>& names = run_.class_names();
    const auto name = [&names](std::int64_t c) {
      return training::shown_name(names[static_cast<std::size_t>(c)]);
    };
    const std::string title =
        title_of(prediction.path, names[static_cast<std::size_t>(prediction.label)]);
    pages::Tile tile;
    tile.title = title;
    tile.lines.push_back(
        fmt::format("label: {} ({})", name(prediction.label), percent(prediction.of_label())));
    if (prediction.right()) {
      const std::int64_t other = runner_up(prediction);
      if (other >= 0) {
        tile.lines.push_back(
            fmt::format("predicted rightly; next: {} ({})", name(other),
                        percent(prediction.probabilities[static_cast<std::size_t>(other)])));
      }
    } else {
      tile.lines.push_back(fmt::format("prediction: {} ({})", name(prediction.answer),
                                       percent(prediction.of_answer())));
    }
    try {
      const data::Image image =
          data::decode_image_file(run_.data.dataset.root + "/" + prediction.path);
      const auto overlay = overlays_.find(number);
      data::Image shown = data::resize_longer_side(image, kSide);
      if (overlay != overlays_.end()) {
        shown = side_by_side(shown, data::resize_longer_side(overlay->second.picture, kSide));
        tile.lines.push_back(fmt::format("right: what spoke for {}", name(prediction.answer)));
        if (const std::optional<double>& outside = overlay->second.outside_face) {
          tile.lines.push_back(fmt::format("{:.0f}% of it outside the face", 100 * *outside));
        }
      }
      tile.picture = pages::thumbnail(shown, std::max(shown.width, shown.height));
      gallery.tiles.push_back(std::move(tile));
    } catch (const Error& error) {  // a page is whole without a photograph
      if (missing_++ == 0) first_problem_ = error.what();
    }
  }

  const RunRecord& run_;
  const Overlays& overlays_;
  std::int64_t missing_ = 0;
  std::string first_problem_;
};

}  // namespace

ChosenPhotographs choose_photographs(const RunRecord& run, const PhotographCounts& counts) {
  ChosenPhotographs out;
  out.confidently_wrong = chosen(
      run, counts.wrong, [](const Prediction& p) { return !p.right(); },
      [](const Prediction& p) { return -p.of_answer(); });
  out.least_certain = chosen(
      run, counts.uncertain, [](const Prediction&) { return true; }, margin);
  if (run.folds.empty()) return out;
  for (const training::ConfusedPair& pair :
       training::worst_pairs(training::pooled(run.folds), counts.pairs)) {
    out.pairs.push_back({.truth = pair.truth,
                         .answer = pair.answer,
                         .images = pair.images,
                         .share = pair.share,
                         .photographs = chosen(
                             run, counts.of_pair,
                             [&pair](const Prediction& p) {
                               return p.label == pair.truth && p.answer == pair.answer;
                             },
                             [](const Prediction& p) { return -p.of_answer(); })});
  }
  return out;
}

std::vector<std::size_t> numbers_of(const ChosenPhotographs& chosen) {
  std::set<std::size_t> numbers(chosen.confidently_wrong.begin(), chosen.confidently_wrong.end());
  numbers.insert(chosen.least_certain.begin(), chosen.least_certain.end());
  for (const ChosenPhotographs::Pair& pair : chosen.pairs) {
    numbers.insert(pair.photographs.begin(), pair.photographs.end());
  }
  return {numbers.begin(), numbers.end()};
}

Blocks photograph_section(const RunRecord& run, const Overlays& overlays) {
  if (run.predictions.empty()) return {};
  Blocks out;
  out.push_back(pages::Section{.id = "photographs", .title = "Photographs"});
  if (!training::exists(run.data.dataset.root)) {
    out.push_back(pages::Paragraph{
        .text = fmt::format("The photographs are not shown: {} is not there any more. Put it back "
                            "and write this page anew with `report {}`.",
                            run.data.dataset.root, run.path)});
    return out;
  }
  const ChosenPhotographs chosen = choose_photographs(run);
  GalleryMaker maker(run, overlays);
  if (!chosen.confidently_wrong.empty()) {
    out.push_back(maker.gallery(chosen.confidently_wrong,
                                "Wrong, and sure of it: the highest probabilities of wrong "
                                "predictions. Look here first for "
                                "wrong labels and for what the network mistakes for a class."));
  }
  for (const ChosenPhotographs::Pair& pair : chosen.pairs) {
    const std::vector<std::string>& names = run.class_names();
    out.push_back(maker.gallery(
        pair.photographs,
        fmt::format("{} taken for {}: {}, {:.1f}% of the label's",
                    names[static_cast<std::size_t>(pair.truth)],
                    names[static_cast<std::size_t>(pair.answer)],
                    training::counted(static_cast<std::size_t>(pair.images), "image", "images"),
                    100 * pair.share)));
  }
  out.push_back(maker.gallery(chosen.least_certain,
                              "Least certain: the two highest probabilities are nearly equal, "
                              "whether the prediction is right "
                              "or not."));
  if (const std::string problems = maker.problems(); !problems.empty()) {
    out.push_back(pages::Paragraph{.text = problems});
  }
  return out;
}

}  // namespace hanok::run_report
