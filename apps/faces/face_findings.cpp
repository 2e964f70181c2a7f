#include "hanok/apps/faces/face_findings.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <numeric>

#include "hanok/apps/statistics/quantile.h"
#include "hanok/kernels/base/error.h"

namespace hanok::faces {
namespace {

constexpr double kSignificant = 0.01;
constexpr double kNotable = 0.05;  // difference of shares
constexpr double kNormal95 = 1.959963984540054;

/// Photographs of a class, and those with a face, in each of its groups.
struct GroupCounts {
  double photographs = 0, found = 0;
};
using Groups = std::map<std::string, GroupCounts>;

/// By how much the variance of a share exceeds that of as many independent photographs: the
/// linearised variance between groups (Kish, Survey Sampling, 1965) over p(1-p)/(n-1); at least 1.
double design_effect(const Groups& groups) {
  double n = 0;
  double found = 0;
  for (const auto& [name, group] : groups) {
    n += group.photographs;
    found += group.found;
  }
  const auto m = static_cast<double>(groups.size());
  const double p = n > 0 ? found / n : 0;
  const double simple = n > 1 ? p * (1 - p) / (n - 1) : 0;
  if (m < 2 || !(simple > 0)) return 1;
  double squares = 0;
  for (const auto& [name, group] : groups) {
    const double residual = group.found - p * group.photographs;
    squares += residual * residual;
  }
  return std::max(1.0, m / (m - 1) * squares / (n * n) / simple);
}

/// Of `found` in `of` as if of `of / effect` independent photographs (Wilson, 1927).
Share wilson(std::int64_t found, std::int64_t of, double effect) {
  Share share{.found = found, .of = of};
  if (of == 0) return share;
  const double n = static_cast<double>(of) / effect;
  const double p = share.value();
  const double z2 = kNormal95 * kNormal95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  share.low = std::max(0.0, centre - half);
  share.high = std::min(1.0, centre + half);
  return share;
}

/// Probability that a chi-square variable of `degrees` degrees exceeds `value`: from 1 or 2 degrees
/// on, two more add (x/2)^(k/2 - 1) exp(-x/2) / Gamma(k/2) (Abramowitz and Stegun, 26.4.8).
double chi_square_tail(double value, int degrees) {
  const double half = value / 2;
  if (half <= 0) return 1;
  double tail = degrees % 2 == 1 ? std::erfc(std::sqrt(half)) : std::exp(-half);
  for (int k = degrees % 2 == 1 ? 3 : 4; k <= degrees; k += 2) {
    tail += std::exp((k / 2.0 - 1) * std::log(half) - half - std::lgamma(k / 2.0));
  }
  return tail;
}

/// Of the counts of each class divided by its design effect (Rao and Scott, 1992).
double independence(const std::vector<Share>& classes, const std::vector<double>& effects) {
  double n = 0;
  double found = 0;
  int filled = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (classes[c].of == 0) continue;
    ++filled;
    n += static_cast<double>(classes[c].of) / effects[c];
    found += static_cast<double>(classes[c].found) / effects[c];
  }
  if (filled < 2 || found <= 0 || found >= n) return 1;
  const double p = found / n;
  double statistic = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (classes[c].of == 0) continue;
    const double of = static_cast<double>(classes[c].of) / effects[c];
    const double difference = of * (classes[c].value() - p);
    statistic += difference * difference / (of * p * (1 - p));
  }
  return chi_square_tail(statistic, filled - 1);
}

/// Photographs of one kind.
struct Kind {
  Share share{};
  Groups groups{};

  void add(const data::Sample& sample, bool found) {
    ++share.of;
    share.found += found ? 1 : 0;
    GroupCounts& group = groups[sample.group];
    ++group.photographs;
    group.found += found ? 1 : 0;
  }
};

/// The extremes are among kinds with photographs.
SharesByKind compared(const std::vector<Kind>& kinds) {
  SharesByKind result;
  std::vector<double> effects;
  for (const Kind& kind : kinds) {
    effects.push_back(design_effect(kind.groups));
    result.shares.push_back(wilson(kind.share.found, kind.share.of, effects.back()));
  }
  result.p_value = independence(result.shares, effects);
  bool any = false;
  for (std::size_t i = 0; i < result.shares.size(); ++i) {
    if (result.shares[i].of == 0) continue;
    const double share = result.shares[i].value();
    if (!any || share < result.shares[result.lowest].value()) result.lowest = i;
    if (!any || share > result.shares[result.highest].value()) result.highest = i;
    any = true;
  }
  result.differ =
      any && result.p_value < kSignificant &&
      result.shares[result.highest].value() - result.shares[result.lowest].value() >= kNotable;
  return result;
}

void count_kinds(FaceFindings& findings, const FaceTable& table, const data::Dataset& dataset) {
  constexpr std::int64_t kClassesOfMask = 6;
  const bool has_masks = dataset.layout == "competition";
  Kind all;
  std::vector<Kind> classes(dataset.class_names.size());
  std::vector<Kind> masks(has_masks ? kMaskNames.size() : 0);
  for (std::size_t i = 0; i < table.photos.size(); ++i) {
    const PhotoFaces& photo = table.photos[i];
    const data::Sample& sample = dataset.samples[i];
    if (photo.width < 1) {
      ++findings.unreadable;
      continue;
    }
    findings.several += photo.faces > 1 ? 1 : 0;
    const bool found = photo.largest.has_value();
    all.add(sample, found);
    if (sample.label < 0) continue;
    classes[static_cast<std::size_t>(sample.label)].add(sample, found);
    if (has_masks)
      masks[static_cast<std::size_t>(sample.label / kClassesOfMask)].add(sample, found);
  }
  findings.all = wilson(all.share.found, all.share.of, design_effect(all.groups));
  findings.classes = compared(classes);
  findings.masks = compared(masks);
}

/// The part of the box inside the photograph.
RelativeBox relative(const PhotoFaces& photo) {
  const Face& face = *photo.largest;
  const double width = photo.width;
  const double height = photo.height;
  return {.left = std::clamp<double>(face.left / width, 0, 1),
          .top = std::clamp<double>(face.top / height, 0, 1),
          .right = std::clamp<double>(face.right / width, 0, 1),
          .bottom = std::clamp<double>(face.bottom / height, 0, 1)};
}

void add_where(FaceFindings& findings, const RelativeBox& box) {
  const auto middle = [](int cell) { return (cell + 0.5) / FaceFindings::kCells; };
  for (int row = 0; row < FaceFindings::kCells; ++row) {
    if (middle(row) < box.top || middle(row) > box.bottom) continue;
    for (int column = 0; column < FaceFindings::kCells; ++column) {
      if (middle(column) < box.left || middle(column) > box.right) continue;
      ++findings.where[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
    }
  }
}

/// Where a box ends on one side; the lower, the further out.
double reach(const RelativeBox& box, std::size_t side) {
  return std::array<double, 4>{box.left, box.top, -box.right, -box.bottom}[side];
}

/// Boxes, of which those at an edge of the whole can be taken away one by one.
class Boxes {
 public:
  explicit Boxes(const std::vector<RelativeBox>& boxes) : boxes_(boxes), gone_(boxes.size()) {
    for (std::size_t side = 0; side < kSides; ++side) {
      order_[side].resize(boxes.size());
      std::iota(order_[side].begin(), order_[side].end(), std::size_t{0});
      std::stable_sort(order_[side].begin(), order_[side].end(), [&](std::size_t a, std::size_t b) {
        return reach(boxes[a], side) < reach(boxes[b], side);
      });
    }
  }

  /// The box that reaches furthest to a side.
  std::size_t outermost(std::size_t side) { return next(side, boxes_.size()); }
  void take_away(std::size_t i) { gone_[i] = true; }
  /// The rectangle around all but one; boxes.size(): around all.
  RelativeBox around(std::size_t without) {
    const auto edge = [&](std::size_t side) { return reach(boxes_[next(side, without)], side); };
    return {.left = edge(0), .top = edge(1), .right = -edge(2), .bottom = -edge(3)};
  }

 private:
  static constexpr std::size_t kSides = 4;

  /// The outermost one but for `without`.
  std::size_t next(std::size_t side, std::size_t without) {
    std::size_t& at = first_[side];
    while (gone_[order_[side][at]]) ++at;
    std::size_t found = at;
    while (gone_[order_[side][found]] || order_[side][found] == without) ++found;
    return order_[side][found];
  }

  const std::vector<RelativeBox>& boxes_;
  std::vector<bool> gone_;
  std::array<std::vector<std::size_t>, kSides> order_;  // the furthest out first
  std::array<std::size_t, kSides> first_{};             // none before it is left
};

}  // namespace

RelativeBox holding(const std::vector<RelativeBox>& boxes, double share) {
  if (boxes.empty()) return {};
  const auto all = static_cast<double>(boxes.size());
  auto spare = static_cast<std::size_t>(std::floor(all * (1 - share) + 1e-9));
  spare = std::min(spare, boxes.size() - 1);
  Boxes left(boxes);
  for (; spare > 0; --spare) {
    // Only a box at an edge of the whole can make it smaller.
    std::size_t best = left.outermost(0);
    for (const std::size_t side : {1U, 2U, 3U}) {
      const std::size_t i = left.outermost(side);
      if (left.around(i).area() < left.around(best).area()) best = i;
    }
    left.take_away(best);
  }
  return left.around(boxes.size());
}

FaceFindings find_in_table(const FaceTable& table, const data::Dataset& dataset) {
  if (table.photos.size() != dataset.samples.size()) {
    throw ValueError(fmt::format("faces: a table of {} photographs for {} samples",
                                 table.photos.size(), dataset.samples.size()));
  }
  FaceFindings findings;
  count_kinds(findings, table, dataset);
  std::vector<RelativeBox> boxes;
  std::vector<double> heights;
  std::vector<double> areas;
  for (const PhotoFaces& photo : table.photos) {
    if (!photo.largest) continue;
    boxes.push_back(relative(photo));
    add_where(findings, boxes.back());
    heights.push_back(static_cast<double>(photo.largest->bottom - photo.largest->top) /
                      photo.height);
    areas.push_back(boxes.back().area());
  }
  for (auto& row : findings.where) {
    for (double& cell : row) cell /= std::max<double>(1, static_cast<double>(boxes.size()));
  }
  findings.median_height = heights.empty() ? 0 : statistics::quantile(heights, 0.5);
  findings.median_area = areas.empty() ? 0 : statistics::quantile(areas, 0.5);
  findings.suggested = holding(boxes, FaceFindings::kHeld);
  return findings;
}

}  // namespace hanok::faces
