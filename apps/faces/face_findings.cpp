#include "hanok/apps/faces/face_findings.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

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

void count_classes(FaceFindings& findings, const FaceTable& table, const data::Dataset& dataset) {
  const std::size_t count = dataset.class_names.size();
  std::vector<Groups> groups(count);
  Groups everywhere;
  findings.classes.resize(count);
  for (std::size_t i = 0; i < table.photos.size(); ++i) {
    const PhotoFaces& photo = table.photos[i];
    const data::Sample& sample = dataset.samples[i];
    if (photo.width < 1) {
      ++findings.unreadable;
      continue;
    }
    const int found = photo.largest ? 1 : 0;
    findings.several += photo.faces > 1 ? 1 : 0;
    const auto add = [&](Share& share, Groups& into) {
      ++share.of;
      share.found += found;
      GroupCounts& group = into[sample.group];
      ++group.photographs;
      group.found += found;
    };
    add(findings.all, everywhere);
    if (sample.label < 0) continue;
    const auto c = static_cast<std::size_t>(sample.label);
    add(findings.classes[c], groups[c]);
  }
  findings.all = wilson(findings.all.found, findings.all.of, design_effect(everywhere));
  std::vector<double> effects;
  for (std::size_t c = 0; c < count; ++c) {
    effects.push_back(design_effect(groups[c]));
    findings.classes[c] = wilson(findings.classes[c].found, findings.classes[c].of, effects[c]);
  }
  findings.p_value = independence(findings.classes, effects);
}

/// Among classes with photographs.
void find_extremes(FaceFindings& findings) {
  bool any = false;
  for (std::size_t c = 0; c < findings.classes.size(); ++c) {
    if (findings.classes[c].of == 0) continue;
    const double share = findings.classes[c].value();
    if (!any || share < findings.classes[findings.lowest].value()) findings.lowest = c;
    if (!any || share > findings.classes[findings.highest].value()) findings.highest = c;
    any = true;
  }
  findings.depends_on_class =
      any && findings.p_value < kSignificant &&
      findings.classes[findings.highest].value() - findings.classes[findings.lowest].value() >=
          kNotable;
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

RelativeBox around(const std::vector<RelativeBox>& boxes, std::size_t without) {
  RelativeBox all{.left = 1, .top = 1, .right = 0, .bottom = 0};
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (i == without) continue;
    all.left = std::min(all.left, boxes[i].left);
    all.top = std::min(all.top, boxes[i].top);
    all.right = std::max(all.right, boxes[i].right);
    all.bottom = std::max(all.bottom, boxes[i].bottom);
  }
  return all;
}

}  // namespace

RelativeBox holding(std::vector<RelativeBox> boxes, double share) {
  if (boxes.empty()) return {};
  const auto all = static_cast<double>(boxes.size());
  auto spare = static_cast<std::size_t>(std::floor(all * (1 - share) + 1e-9));
  spare = std::min(spare, boxes.size() - 1);
  const std::size_t none = boxes.size();
  for (; spare > 0; --spare) {
    // Only a box at an edge of the whole can make it smaller.
    const auto by = [&boxes](auto less) {
      return static_cast<std::size_t>(std::min_element(boxes.begin(), boxes.end(), less) -
                                      boxes.begin());
    };
    const std::array<std::size_t, 4> edges = {
        by([](const auto& a, const auto& b) { return a.left < b.left; }),
        by([](const auto& a, const auto& b) { return a.top < b.top; }),
        by([](const auto& a, const auto& b) { return a.right > b.right; }),
        by([](const auto& a, const auto& b) { return a.bottom > b.bottom; })};
    std::size_t best = edges[0];
    for (const std::size_t i : edges) {
      if (around(boxes, i).area() < around(boxes, best).area()) best = i;
    }
    boxes.erase(boxes.begin() + static_cast<std::ptrdiff_t>(best));
  }
  return around(boxes, none);
}

FaceFindings find_in_table(const FaceTable& table, const data::Dataset& dataset) {
  if (table.photos.size() != dataset.samples.size()) {
    throw ValueError(fmt::format("faces: a table of {} photographs for {} samples",
                                 table.photos.size(), dataset.samples.size()));
  }
  FaceFindings findings;
  count_classes(findings, table, dataset);
  find_extremes(findings);
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
  findings.suggested = holding(std::move(boxes), FaceFindings::kHeld);
  return findings;
}

}  // namespace hanok::faces
